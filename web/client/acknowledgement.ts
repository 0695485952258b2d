// When to tell the server what has been seen. The server sends no more snapshots ahead than are
// acknowledged in time: that bound is what keeps a slow path from filling with old snapshots,
// and a prompt acknowledgement is what keeps it from slowing down a good one.

export class AcknowledgementPolicy {
  readonly #everyTicks: number;
  readonly #everyMs: number;
  #sentTick = -1;
  #sentAtMs = -Infinity;

  /** `everyTicks` as the welcome says, `periodMs` the time between two ticks. */
  constructor(everyTicks: number, periodMs: number) {
    this.#everyTicks = Math.max(1, everyTicks);
    this.#everyMs = this.#everyTicks * periodMs;
  }

  /**
   * Whether `newestTick`, just received, should be acknowledged at once: when the agreed number of
   * ticks has passed since the last acknowledgement, in ticks or in time. Skipped ticks make the
   * first true, snapshots that come late or seldom the second.
   */
  due(newestTick: number, nowMs: number): boolean {
    if (newestTick <= this.#sentTick) return false;
    return (
      newestTick - this.#sentTick >= this.#everyTicks || nowMs - this.#sentAtMs >= this.#everyMs
    );
  }

  /** A message that carried `newestTick` has been sent. */
  sent(newestTick: number, nowMs: number): void {
    if (newestTick === 0 || newestTick === this.#sentTick) return; // 0 says nothing
    this.#sentTick = newestTick;
    this.#sentAtMs = nowMs;
  }
}
