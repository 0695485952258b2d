// An object that is held, for whoever draws it: its newest values, and the latest few states to
// interpolate between. Each object has ticks of its own, since cells further away come more rarely.
import type { ClassLayout, Selection, ValueLayout } from "./schema";

/** A real is a number, a flag a boolean, an enumeration one of its names. */
export type FieldValue = number | boolean | string;
export type FieldShape = { readonly [field: string]: FieldValue };

/** An object stays the same one while it is held; it changes with what frames say. */
export interface ReplicatedObject<Shape extends FieldShape = FieldShape> {
  readonly id: number;
  readonly class: ClassLayout;
  /** By this client's member: the fields for the owner are valid. Otherwise they are at their low. */
  readonly owned: boolean;
  /** That the newest values are of. */
  readonly tick: number;
  /** False once it has left: it stays as it was last. */
  readonly held: boolean;
  /** A field's newest value. Throws a RangeError when the class has no such field. */
  get<Name extends keyof Shape & string>(field: Name): Shape[Name];
  /** The newest value `index` of class.values (the axes are 0, 1 and perhaps 2) as a number. */
  number(index: number): number;
  /** Likewise the integer that it came as. */
  quantum(index: number): number;
  /**
   * The value as it was at `tick`, which may lie between two. What moves is interpolated; past the
   * newest state it goes on as it went, for as long as the last two states are apart, at most 8
   * ticks. What is steady changes when the state does. Before the oldest state kept it is that.
   */
  numberAt(index: number, tick: number): number;
}

/** As many states as a view that shows the past by a quarter of a second needs. */
const statesMax = 16;
/** The slowest ring comes every so many ticks. */
const aheadMax = 8;

export class HeldObject implements ReplicatedObject {
  readonly id: number;
  readonly class: ClassLayout;
  owned = false;
  held = true;
  /** No list has it since this tick; 0 while one does. */
  missingSince = 0;
  /** Numbers of frames. */
  heldIn = 0;
  ownedIn = 0;
  changedIn = 0;

  // Rings: the newest state is at #newest, the one before it at the place below.
  readonly #ticks = new Float64Array(statesMax);
  readonly #quanta: Int32Array;
  #newest = 0;
  #states = 0;

  constructor(id: number, layout: ClassLayout) {
    this.id = id;
    this.class = layout;
    this.#quanta = new Int32Array(statesMax * layout.values.length);
  }

  get tick(): number {
    return this.#states === 0 ? 0 : this.#ticks[this.#newest]!;
  }

  get(field: string): FieldValue {
    const index = this.class.fields.get(field);
    if (index === undefined) throw new RangeError(`${this.class.name} has no field ${field}`);
    const value = this.class.values[index]!;
    const quantum = this.quantum(index);
    if (value.kind === "flag") return quantum !== 0;
    if (value.kind === "enumeration") return value.enumerators[quantum] ?? String(quantum);
    return numberOf(value, quantum);
  }

  number(index: number): number {
    return numberOf(this.#value(index), this.quantum(index));
  }

  quantum(index: number): number {
    this.#value(index);
    return this.#at(0, index);
  }

  numberAt(index: number, tick: number): number {
    const value = this.#value(index);
    return numberOf(
      value,
      value.moving ? this.#moved(index, tick) : this.#at(this.#back(tick), index),
    );
  }

  /**
   * Takes what a list says of `tick`, which is not older than what is held: the selection's values
   * from `values[at]` on. Whether any of them differs.
   */
  take(tick: number, selection: Selection, values: Int32Array, at: number): boolean {
    this.#begin(tick);
    const row = this.#newest * this.class.values.length;
    let differs = false;
    for (const index of selection.moving) {
      const next = values[at + index]!;
      differs ||= this.#quanta[row + index] !== next;
      this.#quanta[row + index] = next;
    }
    for (const index of selection.steady) {
      const next = values[at + index]!;
      differs ||= this.#quanta[row + index] !== next;
      this.#quanta[row + index] = next;
    }
    return differs;
  }

  /** Whether it is the member's own; what only an owner is told goes with that. */
  setOwned(owned: boolean): void {
    this.owned = owned;
    if (owned) return;
    const row = this.#newest * this.class.values.length;
    this.class.values.forEach((value, index) => {
      if (value.forOwner) this.#quanta[row + index] = 0;
    });
  }

  /** A state of `tick`, as the one before it until told. */
  #begin(tick: number): void {
    if (this.#states > 0 && this.#ticks[this.#newest] === tick) return;
    const before = this.#newest;
    this.#newest = (before + 1) % statesMax;
    this.#ticks[this.#newest] = tick;
    const width = this.class.values.length;
    if (this.#states > 0) {
      this.#quanta.copyWithin(this.#newest * width, before * width, (before + 1) * width);
    }
    if (this.#states < statesMax) this.#states++;
  }

  #value(index: number): ValueLayout {
    const value = this.class.values[index];
    if (value === undefined) throw new RangeError(`${this.class.name} has no value ${index}`);
    return value;
  }

  #place(back: number): number {
    return (this.#newest - back + statesMax) % statesMax;
  }

  #tickOf(back: number): number {
    return this.#ticks[this.#place(back)]!;
  }

  #at(back: number, index: number): number {
    return this.#quanta[this.#place(back) * this.class.values.length + index]!;
  }

  /** How many states back the newest is that is not after `tick`; else the oldest. */
  #back(tick: number): number {
    let back = 0;
    while (back < this.#states - 1 && this.#tickOf(back) > tick) back++;
    return back;
  }

  #moved(index: number, tick: number): number {
    const back = this.#back(tick);
    const value = this.#at(back, index);
    if (tick <= this.#tickOf(back) || this.#states < 2) return value;
    if (back > 0) {
      const since = tick - this.#tickOf(back);
      const apart = this.#tickOf(back - 1) - this.#tickOf(back);
      return value + ((this.#at(back - 1, index) - value) * since) / apart;
    }
    const apart = this.#tickOf(0) - this.#tickOf(1);
    const ahead = Math.min(tick - this.#tickOf(0), apart, aheadMax);
    const went = value + ((value - this.#at(1, index)) * ahead) / apart;
    return Math.min(Math.max(went, 0), this.class.values[index]!.most);
  }
}

const numberOf = (value: ValueLayout, quantum: number): number =>
  value.low + quantum * value.resolution;
