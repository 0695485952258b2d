// When to tell the server what has been seen. The server sends no more snapshots ahead than are
// acknowledged in time: that bound is what keeps a slow path from filling with old snapshots,
// and a prompt acknowledgement is what keeps it from slowing down a good one. What is on its way when
// we become slow is as much as we need not have acknowledged yet: so we say that we wait as soon as a
// snapshot is overdue, and the server lets out no more until we have one.

const carefulTimes = 3;
const carefulForMs = 30_000;
// The snapshot that was on its way for the shortest time is forgotten by and by: clocks drift, and
// paths become longer.
const forgottenPart = 1 / 100;
// Until it is known how evenly snapshots come, and while the server's window opens, they may take so
// long; a gap between two of them is forgotten after about so many more.
const firstGapMs = 250;
const gapsRemembered = 64;

export class AcknowledgementPolicy {
  readonly #everyTicks: number;
  readonly #periodMs: number;
  #sentTick = -1;
  #sentAtMs = -Infinity;
  #received: { readonly serverTimeMs: number; readonly atMs: number } | undefined;
  /** By so much longer the newest snapshot was on its way than another was. */
  #lagMs = 0;
  #carefulUntilMs = -Infinity;
  /** Between two snapshots, of late. */
  #longestGapMs = firstGapMs;
  /** That the next one is overdue. */
  #told = false;
  /** So many more; the server is about to learn how fast they are read. */
  #atOnce = 0;

  /** `everyTicks` as the welcome says, `periodMs` the time between two ticks. */
  constructor(everyTicks: number, periodMs: number) {
    this.#everyTicks = Math.max(1, everyTicks);
    this.#periodMs = periodMs;
  }

  /** A snapshot that the server, by its clock, has made at `serverTimeMs`. */
  received(serverTimeMs: number, nowMs: number): void {
    if (this.#received !== undefined) {
      const passedMs = nowMs - this.#received.atMs;
      const madeMs = serverTimeMs - this.#received.serverTimeMs;
      this.#lagMs = Math.max(0, this.#lagMs + passedMs * (1 - forgottenPart) - madeMs);
      if (this.#lagMs > this.#everyTicks * this.#periodMs) {
        this.#carefulUntilMs = nowMs + carefulForMs;
      }
      const remembered = this.#longestGapMs * (1 - 1 / gapsRemembered);
      this.#longestGapMs = Math.max(passedMs, remembered);
    }
    this.#atOnce = this.#told ? 2 * this.#everyTicks : Math.max(0, this.#atOnce - 1);
    this.#told = false;
    this.#received = { serverTimeMs, atMs: nowMs };
  }

  /**
   * When the next snapshot is overdue: one has always come sooner of late. Never where gaps are
   * usual: an acknowledgement that waited for so long would seem to be late itself.
   */
  get overdueAtMs(): number {
    const patienceMs = Math.max(2 * this.#periodMs, this.#longestGapMs + this.#periodMs);
    const tooLong = 3 * patienceMs > 2 * this.#periodMs * this.#everyTicks;
    if (this.#received === undefined || this.#told || tooLong) return Infinity;
    return this.#received.atMs + patienceMs;
  }

  /** The server is told that it is: what has been acknowledged before is so once more. */
  tellOverdue(): void {
    this.#told = true;
  }

  /**
   * Whether `newestTick`, just received, should be acknowledged at once: when the agreed number of
   * ticks has passed since the last acknowledgement, in ticks or in time. Skipped ticks make the
   * first true, snapshots that come late or seldom the second. Of so many ticks a third will do for
   * half a minute after one that was late, and those behind one that was overdue.
   */
  due(newestTick: number, nowMs: number): boolean {
    if (newestTick <= this.#sentTick) return false;
    if (this.#atOnce > 0) return true;
    const careful = nowMs < this.#carefulUntilMs;
    const every = careful ? Math.ceil(this.#everyTicks / carefulTimes) : this.#everyTicks;
    return (
      newestTick - this.#sentTick >= every || nowMs - this.#sentAtMs >= every * this.#periodMs
    );
  }

  /** Whether the server has been told of it, or of a newer one. */
  hasSaid(newestTick: number): boolean {
    return newestTick <= this.#sentTick;
  }

  /** A message that carried `newestTick` has been sent. */
  sent(newestTick: number, nowMs: number): void {
    if (newestTick === 0 || newestTick === this.#sentTick) return; // 0 says nothing
    this.#sentTick = newestTick;
    this.#sentAtMs = nowMs;
  }
}
