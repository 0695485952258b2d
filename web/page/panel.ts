// The figures beside the arena: fed as things happen, written a few times a second, so that they can
// be read.
import { find, findCanvas } from "./find";
import { PeakHistory, SlidingWindow } from "./measures";
import { Sparkline } from "./sparkline";

const windowMs = 5_000;
const rateWindowMs = 2_000;
const historySlotMs = 100;
const historySlots = 120;
/** The least full height of the sparkline. */
const ceilingMs = 4;

/** A snapshot or a frame has come. */
export interface Arrival {
  readonly tick: number;
  readonly receivedAtMs: number;
  readonly ageMs: number | undefined;
}

/** What the panel can't count by itself. */
export interface Situation {
  readonly bytesReceived: number;
  readonly tick: number | undefined;
  readonly members: number | undefined;
  readonly inView: number | undefined;
  /** In all of the arena. */
  readonly objects: number | undefined;
  readonly roundTripMs: number | undefined;
  readonly shownBehindMs: number | undefined;
  readonly desyncs: number | undefined;
}

export class Panel {
  readonly #ages = new SlidingWindow(windowMs);
  readonly #history = new PeakHistory(historySlotMs, historySlots);
  readonly #arrivals = new SlidingWindow(rateWindowMs);
  readonly #ticks = new SlidingWindow(rateWindowMs);
  readonly #bytes = new SlidingWindow(rateWindowMs);
  readonly #frames = new SlidingWindow(rateWindowMs);
  readonly #sparkline = new Sparkline(findCanvas("age-history"));
  #bytesBefore = 0;
  #tickBefore: number | undefined;

  arrived({ tick, receivedAtMs, ageMs }: Arrival): void {
    this.#arrivals.add(receivedAtMs, 1);
    // The first of a session says nothing about how many have passed.
    if (this.#tickBefore !== undefined) this.#ticks.add(receivedAtMs, tick - this.#tickBefore);
    this.#tickBefore = tick;
    if (ageMs === undefined) return;
    this.#ages.add(receivedAtMs, ageMs);
    this.#history.add(receivedAtMs, ageMs);
  }

  frame(nowMs: number): void {
    this.#frames.add(nowMs, 1);
  }

  render(situation: Situation, nowMs: number): void {
    this.#bytes.add(nowMs, situation.bytesReceived - this.#bytesBefore);
    this.#bytesBefore = situation.bytesReceived;
    const bytesPerSecond = this.#bytes.perSecond(nowMs);
    const ticksPerSecond = this.#ticks.perSecond(nowMs);

    write("age-p50", milliseconds(this.#ages.quantile(0.5, nowMs)));
    write("age-p99", milliseconds(this.#ages.quantile(0.99, nowMs)));
    this.#sparkline.draw(this.#history.read(nowMs), ceilingMs);
    write("received", (bytesPerSecond / 1000).toFixed(1));
    write("tick-bytes", whole(ticksPerSecond > 0 ? bytesPerSecond / ticksPerSecond : undefined));
    write("tick", whole(situation.tick));
    write("tick-rate", whole(ticksPerSecond));
    write("snapshots", whole(this.#arrivals.perSecond(nowMs)));
    write("members", whole(situation.members));
    write("in-view", whole(situation.inView));
    write("objects", whole(situation.objects));
    write("frames", whole(this.#frames.perSecond(nowMs)));
    write("round-trip", milliseconds(situation.roundTripMs));
    write("shown-behind", milliseconds(situation.shownBehindMs));
    write("desyncs", whole(situation.desyncs));
  }

  /** A new session: what was measured of the old one says nothing about it. */
  clear(): void {
    this.#ages.clear();
    this.#history.clear();
    this.#ticks.clear();
    this.#tickBefore = undefined;
  }
}

function write(id: string, text: string): void {
  const element = find(id);
  if (element.textContent !== text) element.textContent = text;
}

function whole(value: number | undefined): string {
  // Groups of three, apart by a thin space.
  return value === undefined
    ? "–"
    : String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u2009");
}

function milliseconds(value: number | undefined): string {
  if (value === undefined) return "–";
  // Clocks are compared to within half a round trip: an age of next to nothing may come out below.
  const age = Math.max(0, value);
  return age < 99.95 ? age.toFixed(1) : whole(age);
}
