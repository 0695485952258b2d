// What server and client must do alike, integer by integer: predict a value from the three that the
// receiver holds, and digest what it holds (docs/replication.md).
import type { ClassLayout } from "./schema";

/** From a baseline's ticks B1 > B2 > B3 to a tick `now`. */
export class Predictor {
  #ahead = 0;
  /** 0: too far back to tell a speed from. */
  #apart = 0;
  #bends = false;

  begin(now: number, b1: number, b2: number, b3: number, historyTicks: number): void {
    this.#ahead = now - b1;
    this.#apart = now - b2 >= historyTicks ? 0 : b1 - b2;
    this.#bends =
      this.#apart !== 0 &&
      this.#apart === this.#ahead &&
      b2 - b3 === this.#ahead &&
      now - b3 < historyTicks;
  }

  /** x1, x2, x3: the values at B1, B2, B3. */
  predict(x1: number, x2: number, x3: number, most: number): number {
    if (this.#apart === 0) return x1;
    // Doubles throughout: a product has up to 37 bits, and a quotient of such numbers by one below
    // 64 is never rounded up to the next integer.
    const went = x1 - x2;
    let predicted = x1 + went;
    if (this.#apart !== this.#ahead) {
      predicted = x1 + Math.trunc((went * this.#ahead) / this.#apart);
    }
    if (this.#bends) predicted += Math.trunc(((went - (x2 - x3)) * 7) / 8);
    return predicted < 0 ? 0 : predicted > most ? most : predicted;
  }
}

const mixed = (digest: number, word: number): number => {
  const product = Math.imul(digest ^ word, 0x85eb_ca6b);
  return product ^ (product >>> 15);
};

/** Of one object: its id, its class, and the values that its receiver gets, from `values[at]` on. */
export function objectDigest(
  id: number,
  layout: ClassLayout,
  owned: boolean,
  values: Int32Array,
  at: number,
): number {
  const selection = owned ? layout.owner : layout.everyone;
  let digest = mixed(mixed(0, id), layout.index);
  for (const index of selection.moving) digest = mixed(digest, values[at + index]!);
  for (const index of selection.steady) digest = mixed(digest, values[at + index]!);
  return digest;
}

/** Of lists: the digest of those before and the sum of the next one's objects. */
export const foldDigest = (digest: number, sum: number): number =>
  (Math.imul(digest ^ sum, 0x9e37_79b1) + 1) | 0;
