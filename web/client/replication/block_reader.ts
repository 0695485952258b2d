// A block: who leaves a list, what became of those who stay, who enters (docs/replication.md,
// Block). It is read from what is held into what will be; nothing that is held changes.
import { NotAFrame, unzigzag, type BitReader } from "./bit_reader";
import type { HeldEntry, HeldList, HeldStore } from "./held_store";
import { Predictor } from "./prediction";
import type { ClassLayout, Schema, Selection } from "./schema";
import { holdsAll, type Baseline, type ViewCell } from "./view_cell";

/** The orders of the Exp-Golomb codes. */
export const order = {
  count: 0,
  gap: 2,
  idGap: 8,
  residual: 1,
  velocity: 4,
  bend: 1,
  change: 2,
  overview: 3,
} as const;
const reasonBits = 8;
const parameterMax = 20;

export interface EndedObject {
  readonly id: number;
  readonly reason: number;
}

/** The stores that a frame is read from and into, and the cells as they were before it. */
export interface ReadState {
  readonly held: HeldStore;
  readonly next: HeldStore;
  readonly cells: readonly ViewCell[];
}

const selectionOf = (layout: ClassLayout, owned: boolean): Selection =>
  owned ? layout.owner : layout.everyone;

/** `value` where an object may have it. */
function within(value: number, most: number): number {
  if (value < 0 || value > most) throw new NotAFrame("a value is out of its range");
  return value;
}

/** Calls back with each position of `positions` in a list of `length`; says how many there are. */
export function readPositions(
  bits: BitReader,
  length: number,
  each: (position: number) => void,
): number {
  const count = bits.expGolomb(order.count);
  if (count > length) throw new NotAFrame("there are more positions than the list is long");
  let next = 0;
  for (let i = 0; i < count; i++) {
    const position = next + bits.expGolomb(order.gap);
    if (position >= length) throw new NotAFrame("a position is past its list");
    next = position + 1;
    each(position);
  }
  return count;
}

export class BlockReader {
  /** Whose end the frame tells, in its order. */
  readonly ended: EndedObject[] = [];
  readonly #schema: Schema;
  readonly #bits: BitReader;
  readonly #objectsMax: number;
  readonly #predictor = new Predictor();
  readonly #staying: HeldEntry[] = [];
  #state!: ReadState;
  #tick = 0;

  constructor(schema: Schema, bits: BitReader, objectsMax: number) {
    this.#schema = schema;
    this.#bits = bits;
    this.#objectsMax = objectsMax;
  }

  /** A frame; comes before all else. */
  begin(state: ReadState, tick: number): void {
    this.ended.length = 0;
    this.#state = state;
    this.#tick = tick;
  }

  /** A cell's block; `frames`: the ticks of the last three frames. */
  readCell(cell: ViewCell, frames: Baseline): void {
    const { held, next } = cell;
    const baseline = held.fresh ? frames : held;
    const store = this.#state.next;
    const first = store.count;
    if (held.count > 0) this.#readStaying(held, baseline);
    const middle = store.count;
    let last = 0;
    const entering = this.#readArrivalCount();
    for (let i = 0; i < entering; i++) {
      last = this.#readId(last);
      if (this.#bits.flag()) {
        this.#readKnown(last, baseline);
      } else if (this.#bits.flag()) {
        this.#readWhole(last, cell, baseline);
      } else {
        this.ended.push({ id: last, reason: this.#bits.bits(reasonBits) });
      }
    }
    this.#order(first, middle);
    next.upTo = held.upTo;
    if (held.upTo !== holdsAll) {
      next.upTo = this.#bits.flag() ? holdsAll : Math.max(held.upTo, last);
    }
    next.b3 = baseline.b2;
    next.b2 = baseline.b1;
    next.b1 = this.#tick;
    next.fresh = false;
    next.updated = true;
    next.first = first;
    next.count = store.count - first;
  }

  /** A cell that the frame says nothing about. */
  keepCell({ held, next }: ViewCell): void {
    const first = this.#state.next.count;
    for (let i = 0; i < held.count; i++) {
      this.#keep(this.#state.held.entry(held.first + i), 0);
    }
    next.upTo = held.upTo;
    next.b1 = held.b1;
    next.b2 = held.b2;
    next.b3 = held.b3;
    next.fresh = held.fresh;
    next.updated = false;
    next.first = first;
    next.count = held.count;
  }

  /** The own part's block, the first of a frame; how many entries it then has. */
  readOwn(own: HeldList, frames: Baseline): number {
    if (own.count > 0) this.#readStaying(own, frames);
    const middle = this.#state.next.count;
    let last = 0;
    const entering = this.#readArrivalCount();
    for (let i = 0; i < entering; i++) {
      last = this.#readId(last);
      this.#readWhole(last, undefined, frames);
    }
    this.#order(0, middle);
    return this.#state.next.count;
  }

  #readArrivalCount(): number {
    const count = this.#bits.expGolomb(order.count);
    if (count > this.#objectsMax)
      throw new NotAFrame("there are more objects than there is room for");
    return count;
  }

  #readId(last: number): number {
    const id = last + this.#bits.expGolomb(order.idGap);
    if (id === 0 || id > 0xffff_ffff) throw new NotAFrame("an object has no id");
    return id;
  }

  #order(first: number, middle: number): void {
    if (!this.#state.next.merge(first, middle)) throw new NotAFrame("an id is twice in a list");
  }

  #add(id: number, classIndex: number, owned: boolean, entered: boolean): HeldEntry {
    const { next } = this.#state;
    if (next.count >= this.#objectsMax) {
      throw new NotAFrame("there are more objects than there is room for");
    }
    return next.add(id, classIndex, owned, entered);
  }

  /** An entry as it is held, with its values `back` ticks further back and those since as before. */
  #keep(from: HeldEntry, back: 0 | 1): HeldEntry {
    const to = this.#add(from.id, from.classIndex, from.owned, false);
    to.object = from.object;
    const width = this.#schema.valuesMax;
    const target = this.#state.next.values;
    const source = this.#state.held.values;
    const shift = back * width;
    for (let i = 0; i < shift; i++) target[to.at + i] = source[from.at + i]!;
    for (let i = shift; i < 3 * width; i++) target[to.at + i] = source[from.at + i - shift]!;
    return to;
  }

  #readStaying(list: HeldList, baseline: Baseline): void {
    const bits = this.#bits;
    const { held, next } = this.#state;
    const staying = this.#staying;
    let count = 0;
    // Who is passed over on the way to the next who leaves stays.
    let passed = 0;
    const passTo = (position: number) => {
      for (; passed < position; passed++) staying[count++] = held.entry(list.first + passed);
    };
    readPositions(bits, list.count, (position) => {
      passTo(position);
      passed = position + 1;
      if (!bits.flag()) return;
      this.ended.push({ id: held.entry(list.first + position).id, reason: bits.bits(reasonBits) });
    });
    passTo(list.count);
    if (count === 0) return;
    const first = next.count;
    for (let i = 0; i < count; i++) this.#keep(staying[i]!, 1);
    readPositions(bits, count, (position) => {
      const entry = next.entry(first + position);
      const layout = this.#schema.classes[entry.classIndex]!;
      this.#readSteadyChanges(layout, selectionOf(layout, entry.owned), entry.at);
    });
    const parameter = bits.unary(parameterMax);
    this.#predictFrom(baseline);
    for (let i = 0; i < count; i++) {
      const entry = next.entry(first + i);
      const layout = this.#schema.classes[entry.classIndex]!;
      for (const index of selectionOf(layout, entry.owned).moving) {
        const off = unzigzag(bits.residual(parameter));
        this.#readMoved(layout, index, staying[i]!, entry.at, off);
      }
    }
  }

  #predictFrom({ b1, b2, b3 }: Baseline): void {
    this.#predictor.begin(this.#tick, b1, b2, b3, this.#schema.historyTicks);
  }

  /** A moving value, `off` its prediction. */
  #readMoved(layout: ClassLayout, index: number, from: HeldEntry, at: number, off: number): void {
    const { values } = this.#state.held;
    const width = this.#schema.valuesMax;
    const { most } = layout.values[index]!;
    const predicted = this.#predictor.predict(
      values[from.at + index]!,
      values[from.at + width + index]!,
      values[from.at + 2 * width + index]!,
      most,
    );
    this.#state.next.values[at + index] = within(predicted + off, most);
  }

  #readSteadyChanges(layout: ClassLayout, { steady }: Selection, at: number): void {
    const bits = this.#bits;
    const { values } = this.#state.next;
    for (const index of steady) {
      if (steady.length > 1 && !bits.flag()) continue;
      const { most, kind, bits: width } = layout.values[index]!;
      let to: number;
      if (most === 1) {
        to = 1 - values[at + index]!;
      } else if (kind === "real") {
        const code = bits.expGolomb(order.change) + 1;
        if (code > 0xffff_ffff) throw new NotAFrame("a change has more than 32 bits");
        to = values[at + index]! + unzigzag(code);
      } else {
        to = bits.bits(width);
      }
      values[at + index] = within(to, most);
    }
  }

  /** An object that the receiver holds in another cell. */
  #readKnown(id: number, baseline: Baseline): void {
    const from = this.#findKnown(id, baseline);
    if (from === undefined) throw new NotAFrame("an object is not known from another cell");
    const entry = this.#keep(from, 1);
    entry.entered = true;
    const layout = this.#schema.classes[entry.classIndex]!;
    this.#predictFrom(baseline);
    for (const index of layout.everyone.moving) {
      const off = unzigzag(this.#bits.expGolomb(order.residual));
      this.#readMoved(layout, index, from, entry.at, off);
    }
    if (layout.everyone.steady.length === 0 || !this.#bits.flag()) return;
    this.#readSteadyChanges(layout, layout.everyone, entry.at);
  }

  #findKnown(id: number, { b1, b2, b3 }: Baseline): HeldEntry | undefined {
    for (const { held } of this.#state.cells) {
      if (held.fresh || held.b1 !== b1 || held.b2 !== b2 || held.b3 !== b3) continue;
      const found = this.#state.held.find(held, id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** An object that nothing is known of; without a cell in the own part. */
  #readWhole(id: number, cell: ViewCell | undefined, { b1, b2 }: Baseline): void {
    const bits = this.#bits;
    const width = this.#schema.valuesMax;
    const layout = this.#schema.classes[bits.bits(this.#schema.classBits)];
    if (layout === undefined) throw new NotAFrame("an object is of a class that there is not");
    const isInsideOrOwned = bits.flag();
    const inside = isInsideOrOwned ? cell : undefined;
    const owned = cell === undefined && isInsideOrOwned;
    const { at } = this.#add(id, layout.index, owned, true);
    const { values } = this.#state.next;
    values.fill(0, at, at + 3 * width);
    const selection = selectionOf(layout, owned);
    for (const index of selection.moving) {
      const value = layout.values[index]!;
      const now =
        inside !== undefined && index < this.#schema.dimensions
          ? inside.low[index]! + bits.bits(inside.edgeBits)
          : bits.bits(value.bits);
      values[at + index] = within(now, value.most);
      values[at + width + index] = now;
      values[at + 2 * width + index] = now;
    }
    if (bits.flag()) {
      const isEven = this.#tick - b1 === b1 - b2;
      for (const index of selection.moving) {
        const { most } = layout.values[index]!;
        const velocity = unzigzag(bits.expGolomb(order.velocity));
        const bend = isEven ? unzigzag(bits.expGolomb(order.bend)) : velocity;
        const before = within(values[at + index]! - velocity, most);
        values[at + width + index] = before;
        values[at + 2 * width + index] = within(before - velocity + bend, most);
      }
    }
    for (const index of selection.steady) {
      const value = layout.values[index]!;
      const now = within(bits.bits(value.bits), value.most);
      values[at + index] = now;
      values[at + width + index] = now;
      values[at + 2 * width + index] = now;
    }
  }
}
