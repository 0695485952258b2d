// Short-lived marks of events: what has appeared gets a ring, what was absorbed runs into what
// absorbed it, what just ended bursts. They are drawn for a fraction of a second and mean nothing
// afterwards.
import type { Point } from "./steering";

export interface Effect {
  readonly style: "appear" | "absorb" | "burst";
  readonly at: Point;
  /** For `absorb`: where to. */
  readonly into: Point;
  /** Units. */
  readonly radius: number;
  readonly startedAtMs: number;
}

export const effectMs = 420;
const effectsMax = 96;

export class Effects {
  #effects: Effect[] = [];

  add(effect: Effect): void {
    this.#effects.push(effect);
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
