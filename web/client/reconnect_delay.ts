// How long to wait before connecting again: as long as the server asked for (it spreads its clients
// out), else exponential backoff whose upper half is drawn at random, so that a crowd that lost its
// server together does not come back together.

export interface ReconnectLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

export class ReconnectDelay {
  readonly #limits: ReconnectLimits;
  readonly #random: () => number;
  #failures = 0;

  constructor(limits: ReconnectLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /**
   * The wait after one more lost connection. `hintMs` is what the server asked for, if it did;
   * `keptMs`, for how much longer it keeps our place: so that there are some attempts within that
   * time, and the last of them near its end, none waits for more than a quarter of it.
   */
  next(hintMs?: number, keptMs = 0): number {
    const { firstMs, maxMs } = this.#limits;
    const keptCeilingMs = keptMs > 0 ? Math.max(firstMs, keptMs / 4) : maxMs;
    const ceilingMs = Math.min(maxMs, keptCeilingMs, firstMs * 2 ** this.#failures);
    this.#failures += 1;
    return hintMs ?? ceilingMs * (0.5 + 0.5 * this.#random());
  }

  /** A session has lasted: the next loss starts over. */
  reset(): void {
    this.#failures = 0;
  }
}
