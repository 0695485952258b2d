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

  /** The wait after one more lost connection; `hintMs` is what the server asked for, if it did. */
  next(hintMs?: number): number {
    const ceilingMs = Math.min(this.#limits.maxMs, this.#limits.firstMs * 2 ** this.#failures);
    this.#failures += 1;
    return hintMs ?? ceilingMs * (0.5 + 0.5 * this.#random());
  }

  /** A session has lasted: the next loss starts over. */
  reset(): void {
    this.#failures = 0;
  }
}
