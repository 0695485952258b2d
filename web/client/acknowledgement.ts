// When to tell the server what has been seen. The server sends no more snapshots ahead than are
// acknowledged in time: that bound is what keeps a slow path from filling with old snapshots,
// and a prompt acknowledgement is what keeps it from slowing down a good one. What is on its way when
// we become slow is as much as we need not have acknowledged yet: so who has been slow once
// acknowledges more often for a while, and the server knows sooner the next time.

const carefulTimes = 3;
const carefulForMs = 30_000;
// The snapshot that was on its way for the shortest time is forgotten by and by: clocks drift, and
// paths become longer.
const forgottenPart = 1 / 100;

export class AcknowledgementPolicy {
  readonly #everyTicks: number;
  readonly #periodMs: number;
  #sentTick = -1;
  #sentAtMs = -Infinity;
  #received: { readonly serverTimeMs: number; readonly atMs: number } | undefined;
  /** By so much longer the newest snapshot was on its way than another was. */
  #lagMs = 0;
  #carefulUntilMs = -Infinity;

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
    }
    this.#received = { serverTimeMs, atMs: nowMs };
  }

  /**
   * Whether `newestTick`, just received, should be acknowledged at once: when the agreed number of
   * ticks has passed since the last acknowledgement, in ticks or in time. Skipped ticks make the
   * first true, snapshots that come late or seldom the second. Of so many ticks a third will do for
   * half a minute after one that was late.
   */
  due(newestTick: number, nowMs: number): boolean {
    if (newestTick <= this.#sentTick) return false;
    const careful = nowMs < this.#carefulUntilMs;
    const every = careful ? Math.ceil(this.#everyTicks / carefulTimes) : this.#everyTicks;
    return (
      newestTick - this.#sentTick >= every || nowMs - this.#sentAtMs >= every * this.#periodMs
    );
  }

  /** A message that carried `newestTick` has been sent. */
  sent(newestTick: number, nowMs: number): void {
    if (newestTick === 0 || newestTick === this.#sentTick) return; // 0 says nothing
    this.#sentTick = newestTick;
    this.#sentAtMs = nowMs;
  }
}
