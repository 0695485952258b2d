// Short-lived marks of what begins and ends: what has appeared gets a ring, what was absorbed runs
// into what absorbed it, what just ended bursts. They are drawn for a fraction of a second and mean
// nothing afterwards.
import type { Mark } from "./scene";

export interface Effect extends Mark {
  readonly startedAtMs: number;
}

export const effectMs = 420;
const effectsMax = 96;

export class Effects {
  #effects: Effect[] = [];

  add(mark: Mark, nowMs: number): void {
    this.#effects.push({ ...mark, startedAtMs: nowMs });
    if (this.#effects.length > effectsMax) this.#effects.shift();
  }

  /** Those that are still to be seen. */
  current(nowMs: number): readonly Effect[] {
    this.#effects = this.#effects.filter((effect) => nowMs - effect.startedAtMs < effectMs);
    return this.#effects;
  }

  clear(): void {
    this.#effects = [];
  }
}
