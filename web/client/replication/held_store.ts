// What the lists of a receiver point into: entry after entry an object as one list has it, with its
// values at the list's three ticks. A frame is read from one store into another. Entries are used
// again and again: memory grows to what was needed most, and stays.
import type { HeldObject } from "./objects";

/** Entries `first` to `first` + `count` of a store, by ascending id. */
export interface HeldList {
  first: number;
  count: number;
}

export class HeldEntry {
  id = 0;
  classIndex = 0;
  /** In the own part, and with the owner's values. */
  owned = false;
  /** Came into its list with the frame that is being read. */
  entered = false;
  /** Undefined before the frame has been read, and when the object has ended. */
  object: HeldObject | undefined = undefined;
  /** Where its values at the newest tick begin; those at the two before lie behind. */
  readonly at: number;

  constructor(at: number) {
    this.at = at;
  }
}

export class HeldStore {
  count = 0;
  values: Int32Array;
  readonly #entries: HeldEntry[] = [];
  readonly #stride: number;
  readonly #aside: HeldEntry[] = [];

  /** `valuesMax`: of an object at one tick. */
  constructor(valuesMax: number) {
    this.#stride = 3 * valuesMax;
    this.values = new Int32Array(64 * this.#stride);
  }

  clear(): void {
    for (let i = 0; i < this.count; i++) this.#entries[i]!.object = undefined;
    this.count = 0;
  }

  entry(index: number): HeldEntry {
    return this.#entries[index]!;
  }

  /** An entry whose values are whatever was there. `values` may be another array afterwards. */
  add(id: number, classIndex: number, owned: boolean, entered: boolean): HeldEntry {
    const index = this.count++;
    let entry = this.#entries[index];
    if (entry === undefined) {
      entry = new HeldEntry(index * this.#stride);
      this.#entries.push(entry);
      if (entry.at + this.#stride > this.values.length) {
        const grown = new Int32Array(2 * this.values.length);
        grown.set(this.values);
        this.values = grown;
      }
    }
    entry.id = id;
    entry.classIndex = classIndex;
    entry.owned = owned;
    entry.entered = entered;
    entry.object = undefined;
    return entry;
  }

  find(list: HeldList, id: number): HeldEntry | undefined {
    const end = list.first + list.count;
    let low = list.first;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#entries[middle]!.id < id) low = middle + 1;
      else high = middle;
    }
    const found = this.#entries[low];
    return low < end && found!.id === id ? found : undefined;
  }

  /**
   * Orders the last entries by id, from `first` on: those before `middle` ascend, those from there
   * on as well, or are equal. False when an id is twice.
   */
  merge(first: number, middle: number): boolean {
    const entries = this.#entries;
    const count = this.count - middle;
    let isOnce = true;
    for (let i = 0; i < count; i++) {
      const entry = entries[middle + i]!;
      if (i > 0 && entry.id === this.#aside[i - 1]!.id) isOnce = false;
      this.#aside[i] = entry;
    }
    // From the back, so that nothing is overwritten before it has moved.
    let staying = middle - 1;
    let to = this.count - 1;
    for (let entering = count - 1; entering >= 0; to--) {
      const next = this.#aside[entering]!;
      const other = staying >= first ? entries[staying]! : undefined;
      if (other !== undefined && other.id === next.id) isOnce = false;
      if (other !== undefined && other.id > next.id) {
        entries[to] = other;
        staying--;
      } else {
        entries[to] = next;
        entering--;
      }
    }
    return isOnce;
  }
}
