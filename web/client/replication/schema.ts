// What a room replicates, as the server describes it once (docs/replication.md, Schema): classes of
// objects, and of each value its range as an integer.
import { widthOf } from "./bit_reader";

/** The bytes are not a schema that this client knows; the message is one sentence. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
}

export type FieldKind = "real" | "flag" | "enumeration";

/** An integer of an object, 0 to `most`, that stands for low + integer * resolution. */
export interface ValueLayout {
  /** Of an axis x, y or z. */
  readonly name: string;
  readonly kind: FieldKind;
  readonly low: number;
  readonly resolution: number;
  readonly most: number;
  /** That hold `most`. */
  readonly bits: number;
  /** Predicted from what it did before, and to be interpolated. */
  readonly moving: boolean;
  readonly forOwner: boolean;
  /** The names of 0, 1, 2, ... */
  readonly enumerators: readonly string[];
}

/** Which of an object's values a receiver gets, by their index. */
export interface Selection {
  readonly moving: readonly number[];
  readonly steady: readonly number[];
}

export interface ClassLayout {
  readonly index: number;
  readonly name: string;
  /** The axes, then the fields. */
  readonly values: readonly ValueLayout[];
  /** Where in `values` a field is. */
  readonly fields: ReadonlyMap<string, number>;
  readonly everyone: Selection;
  /** Everyone's values and the owner's. */
  readonly owner: Selection;
}

export interface Schema {
  readonly dimensions: number;
  readonly axes: readonly ValueLayout[];
  readonly classes: readonly ClassLayout[];
  readonly reasons: readonly string[];
  readonly layers: number;
  readonly historyTicks: number;
  /** 0 columns: there is no overview. */
  readonly overviewColumns: number;
  readonly overviewRows: number;
  /** A cell of level 0 has an edge of 2^rootBits quanta; levels above `placeLevels` split by id. */
  readonly rootBits: number;
  readonly placeLevels: number;
  /** Along each axis. */
  readonly roots: readonly number[];
  readonly rootIndexBits: readonly number[];
  readonly classBits: number;
  readonly layerBits: number;
  /** The most that a class has. */
  readonly valuesMax: number;
}

const version = 1;
const quantaMax = 2 ** 30;
const rootsMax = 65_536;
const smallestCellBits = 4;
const axisNames = ["x", "y", "z"];
const kinds: readonly FieldKind[] = ["real", "flag", "enumeration"];

// Declared rather than taken from the DOM's types, as in environment.ts.
declare const TextDecoder: new () => { decode(bytes: Uint8Array): string };

/** Throws a SchemaError when `bytes` are none. */
export function readSchema(bytes: Uint8Array): Schema {
  const input = new SchemaBytes(bytes);
  if (input.byte() !== version) throw new SchemaError("the schema is of another version");
  const dimensions = input.byte();
  if (dimensions !== 2 && dimensions !== 3) throw new SchemaError("a space has 2 or 3 dimensions");
  const ranges: [number, number][] = [];
  for (let i = 0; i < dimensions; i++) ranges.push([input.real(), input.real()]);
  const resolution = input.real();
  const axes = ranges.map(([low, high], i) => {
    const name = axisNames[i]!;
    return valueLayout({ name, kind: "real", moving: true, forOwner: false, enumerators: [] }, [
      low,
      high,
      resolution,
    ]);
  });
  const rootBits = input.byte();
  const layers = input.byte();
  const historyTicks = input.byte();
  const overviewColumns = input.byte();
  const overviewRows = input.byte();
  const classes: ClassLayout[] = [];
  for (let left = input.byte(); left > 0; left--) {
    classes.push(readClass(input, classes.length, axes));
  }
  const reasons = input.names();
  if (input.left > 0) throw new SchemaError("the schema is too long");
  if (layers < 1 || layers > 32) throw new SchemaError("a schema has 1 to 32 layers");
  if (historyTicks < 7 || historyTicks > 63) throw new SchemaError("a history has 7 to 63 ticks");
  if (classes.length < 1 || classes.length > 64) {
    throw new SchemaError("a schema has 1 to 64 classes");
  }
  if (reasons.length > 256) throw new SchemaError("a schema has at most 256 reasons");
  if (overviewColumns > 64 || overviewRows > 64 || (overviewColumns > 0 && overviewRows === 0)) {
    throw new SchemaError("an overview has 1 to 64 columns and rows");
  }
  const longest = Math.max(smallestCellBits, ...axes.map(({ bits }) => bits));
  if (rootBits < smallestCellBits || rootBits > 30 || rootBits > longest) {
    throw new SchemaError("the schema's cells do not fit its space");
  }
  const roots = axes.map(({ most }) => (most >>> rootBits) + 1);
  if (roots.reduce((product, count) => product * count, 1) > rootsMax) {
    throw new SchemaError("the schema has more than 65,536 cells of level 0");
  }
  return {
    dimensions,
    axes,
    classes,
    reasons,
    layers,
    historyTicks,
    overviewColumns,
    overviewRows,
    rootBits,
    placeLevels: rootBits - smallestCellBits,
    roots,
    rootIndexBits: roots.map((count) => widthOf(count - 1)),
    classBits: widthOf(classes.length - 1),
    layerBits: widthOf(layers - 1),
    valuesMax: Math.max(...classes.map(({ values }) => values.length)),
  };
}

function readClass(input: SchemaBytes, index: number, axes: readonly ValueLayout[]): ClassLayout {
  const name = input.text();
  const values = [...axes];
  const fields = new Map<string, number>();
  const fieldCount = input.byte();
  if (fieldCount > 32) throw new SchemaError("a class has at most 32 fields");
  for (let i = 0; i < fieldCount; i++) {
    const field = readField(input);
    fields.set(field.name, values.length);
    values.push(field);
  }
  const select = (forOwner: boolean, moving: boolean) =>
    [...values.keys()].filter((i) => {
      const value = values[i]!;
      return value.moving === moving && (forOwner || !value.forOwner);
    });
  const selection = (forOwner: boolean): Selection => ({
    moving: select(forOwner, true),
    steady: select(forOwner, false),
  });
  return { index, name, values, fields, everyone: selection(false), owner: selection(true) };
}

function readField(input: SchemaBytes): ValueLayout {
  const name = input.text();
  const kind = kinds[input.byte()];
  if (kind === undefined) throw new SchemaError(`the field ${name} is of an unknown kind`);
  const flags = input.byte();
  const range = [input.real(), input.real(), input.real()] as const;
  const [moving, forOwner] = [(flags & 1) !== 0, (flags & 2) !== 0];
  return valueLayout({ name, kind, moving, forOwner, enumerators: input.names() }, range);
}

function valueLayout(
  what: Pick<ValueLayout, "name" | "kind" | "moving" | "forOwner" | "enumerators">,
  [low, high, resolution]: readonly [number, number, number],
): ValueLayout {
  const isRange = Number.isFinite(low) && Number.isFinite(high) && Number.isFinite(resolution);
  if (!isRange || resolution <= 0 || high < low) {
    throw new SchemaError(`${what.name} has no range from low to high`);
  }
  const most = Math.floor((high - low) / resolution + 1e-9);
  if (most >= quantaMax) throw new SchemaError(`${what.name} has more than 2^30 steps`);
  return { ...what, low, resolution, most, bits: widthOf(most) };
}

class SchemaBytes {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.#view.getUint8(this.#take(1));
  }
  real(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }
  text(): string {
    const length = this.#view.getUint32(this.#take(4), true);
    const first = this.#take(length);
    return new TextDecoder().decode(this.#bytes.subarray(first, first + length));
  }
  names(): string[] {
    const names: string[] = [];
    const count = this.#view.getUint16(this.#take(2), true);
    for (let i = 0; i < count; i++) names.push(this.text());
    return names;
  }

  /** Where they begin. */
  #take(count: number): number {
    if (count > this.left) throw new SchemaError("the schema is cut short");
    const first = this.#at;
    this.#at += count;
    return first;
  }
}
