// Figures over the last seconds, fed as things happen and read a few times a second.

interface Sample {
  readonly atMs: number;
  readonly value: number;
}

/** The samples of a sliding window of time. */
export class SlidingWindow {
  readonly #windowMs: number;
  #samples: Sample[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(atMs: number, value: number): void {
    this.#samples.push({ atMs, value });
    // Nobody reads while the page is hidden: let go of the old by halves.
    if (this.#samples.length > 4096) this.#expire(atMs);
  }

  /** The value that `fraction` of the samples do not exceed; undefined without samples. */
  quantile(fraction: number, nowMs: number): number | undefined {
    this.#expire(nowMs);
    const sorted = this.#samples.map((sample) => sample.value).sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))];
  }

  /** The sum of the values, per second. */
  perSecond(nowMs: number): number {
    this.#expire(nowMs);
    const first = this.#samples[0];
    if (first === undefined) return 0;
    // A window that has only begun counts for what has passed of it, or nothing much would do.
    const spanMs = Math.min(this.#windowMs, Math.max(this.#windowMs / 4, nowMs - first.atMs));
    return (this.#samples.reduce((sum, sample) => sum + sample.value, 0) * 1000) / spanMs;
  }

  clear(): void {
    this.#samples = [];
  }

  #expire(nowMs: number): void {
    const oldestMs = nowMs - this.#windowMs;
    const kept = this.#samples.findIndex((sample) => sample.atMs > oldestMs);
    if (kept === -1) this.#samples = [];
    else if (kept > 0) this.#samples.splice(0, kept);
  }
}

/** The largest value of each of the last `slots` spans of time: what a sparkline draws. */
export class PeakHistory {
  readonly #slotMs: number;
  readonly #slots: number;
  #peaks = new Map<number, number>();

  constructor(slotMs: number, slots: number) {
    this.#slotMs = slotMs;
    this.#slots = slots;
  }

  add(atMs: number, value: number): void {
    const slot = Math.floor(atMs / this.#slotMs);
    this.#peaks.set(slot, Math.max(value, this.#peaks.get(slot) ?? value));
    if (this.#peaks.size > 4 * this.#slots) this.#expire(slot);
  }

  /** Oldest first, one for each slot; undefined where nothing came. */
  read(nowMs: number): (number | undefined)[] {
    // The slot of now is still filling.
    const last = Math.floor(nowMs / this.#slotMs) - 1;
    this.#expire(last);
    return Array.from({ length: this.#slots }, (_, i) =>
      this.#peaks.get(last - this.#slots + 1 + i),
    );
  }

  clear(): void {
    this.#peaks.clear();
  }

  #expire(last: number): void {
    for (const slot of this.#peaks.keys()) {
      if (slot <= last - this.#slots) this.#peaks.delete(slot);
    }
  }
}
