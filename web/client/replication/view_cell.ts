// A cell of the view, and what is held of it: as of the last frame, and as of the one that is being
// read, which takes its place when that turns out to be a frame.
import type { HeldList } from "./held_store";

/** The newest of a cell's three ticks first. */
export interface Baseline {
  b1: number;
  b2: number;
  b3: number;
}

/** Of a cell that holds every object: up to this id. */
export const holdsAll = 0xffff_ffff;

export class CellState implements Baseline, HeldList {
  /** Nothing of it has come. */
  fresh = true;
  /** With a block in its newest frame. */
  updated = false;
  /** The id up to which it has been filled. */
  upTo = 0;
  b1 = 0;
  b2 = 0;
  b3 = 0;
  first = 0;
  count = 0;
}

export class ViewCell {
  /** Its lowest corner, in quanta. */
  readonly low: readonly number[];
  /** Its edge is so many bits long. */
  readonly edgeBits: number;
  held = new CellState();
  next = new CellState();

  constructor(low: readonly number[], edgeBits: number) {
    this.low = low;
    this.edgeBits = edgeBits;
  }

  /** The frame that was being read is the last one. */
  commit(): void {
    const before = this.held;
    this.held = this.next;
    this.next = before;
  }
}
