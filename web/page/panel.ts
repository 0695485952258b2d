// The figures beside the arena: fed as things happen, written a few times a second, so that they can
// be read.
import type { Snapshot } from "../client";
import { find, findCanvas } from "./find";
import { PeakHistory, SlidingWindow } from "./measures";
import { Sparkline } from "./sparkline";

const windowMs = 5_000;
const rateWindowMs = 2_000;
const historySlotMs = 100;
const historySlots = 120;
/** The least full height of the sparkline. */
const ceilingMs = 4;

/** What the panel can't count by itself. */
export interface Situation {
  readonly bytesReceived: number;
  readonly tick: number | undefined;
  readonly members: number | undefined;
  readonly objects: number | undefined;
  readonly roundTripMs: number | undefined;
  readonly shownBehindMs: number | undefined;
}

export class Panel {
  readonly #ages = new SlidingWindow(windowMs);
  readonly #history = new PeakHistory(historySlotMs, historySlots);
  readonly #snapshots = new SlidingWindow(rateWindowMs);
  readonly #bytes = new SlidingWindow(rateWindowMs);
  readonly #frames = new SlidingWindow(rateWindowMs);
  readonly #events = new SlidingWindow(windowMs);
  readonly #sparkline = new Sparkline(findCanvas("age-history"));
  #bytesBefore = 0;

  snapshot({ receivedAtMs, ageMs }: Snapshot): void {
    this.#snapshots.add(receivedAtMs, 1);
    if (ageMs === undefined) return;
    this.#ages.add(receivedAtMs, ageMs);
    this.#history.add(receivedAtMs, ageMs);
  }

  event(nowMs: number): void {
    this.#events.add(nowMs, 1);
  }

  frame(nowMs: number): void {
    this.#frames.add(nowMs, 1);
  }

  render(situation: Situation, nowMs: number): void {
    this.#bytes.add(nowMs, situation.bytesReceived - this.#bytesBefore);
    this.#bytesBefore = situation.bytesReceived;

    write("age-p50", milliseconds(this.#ages.quantile(0.5, nowMs)));
    write("age-p99", milliseconds(this.#ages.quantile(0.99, nowMs)));
    this.#sparkline.draw(this.#history.read(nowMs), ceilingMs);
    write("tick", whole(situation.tick));
    write("members", whole(situation.members));
    write("objects", whole(situation.objects));
    write("snapshots", whole(this.#snapshots.perSecond(nowMs)));
    write("received", (this.#bytes.perSecond(nowMs) / 1000).toFixed(1));
    write("frames", whole(this.#frames.perSecond(nowMs)));
    write("round-trip", milliseconds(situation.roundTripMs));
    write("shown-behind", milliseconds(situation.shownBehindMs));
    write("events-rate", `${this.#events.perSecond(nowMs).toFixed(1)}/s`);
  }

  /** A new session: the old one's ages say nothing about it. */
  clear(): void {
    this.#ages.clear();
    this.#history.clear();
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
