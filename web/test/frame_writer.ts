// Schemas and frames by hand, code by code as docs/replication.md has them: for what no server
// would send, and for rules that deserve a small example.

export class FrameWriter {
  readonly #bits: number[] = [];

  bits(value: number, count: number): this {
    for (let i = 0; i < count; i++) this.#bits.push(Math.floor(value / 2 ** i) % 2);
    return this;
  }
  flag(value: boolean): this {
    return this.bits(value ? 1 : 0, 1);
  }
  unary(zeros: number): this {
    return this.bits(0, zeros).bits(1, 1);
  }
  expGolomb(value: number, order: number): this {
    const shifted = value + 2 ** order;
    const width = Math.floor(Math.log2(shifted)) + 1;
    return this.unary(width - 1 - order).bits(shifted, width - 1);
  }
  count(value: number): this {
    return this.expGolomb(value, 0);
  }
  residual(value: number, parameter = 0): this {
    const code = zigzag(value);
    const quotient = Math.floor(code / 2 ** parameter);
    if (quotient < 3) this.unary(quotient);
    else this.bits(0, 3).expGolomb(quotient - 3, 0);
    return this.bits(code, parameter);
  }

  /** As far as `extras`, with input 0. */
  anew(tick: number, extras?: [view: boolean, overview: boolean, digest: boolean]): this {
    this.flag(true).bits(tick, 48);
    return this.#header(extras);
  }
  /** Likewise for the tick after the last frame's, or the `later`-th after that. */
  goesOn(extras?: [view: boolean, overview: boolean, digest: boolean], later = 0): this {
    this.flag(false).count(later);
    return this.#header(extras);
  }
  #header(extras: [boolean, boolean, boolean] | undefined): this {
    this.count(0).flag(extras !== undefined);
    for (const extra of extras ?? []) this.flag(extra);
    return this;
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(this.#bits.length / 8));
    this.#bits.forEach((bit, i) => (bytes[i >>> 3]! |= bit << (i & 7)));
    return bytes;
  }
}

export const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

export interface WrittenField {
  readonly name: string;
  readonly kind: number;
  readonly flags: number;
  readonly range: readonly [low: number, high: number, resolution: number];
  readonly enumerators?: readonly string[];
}

export interface WrittenSchema {
  readonly version?: number;
  readonly axes: readonly (readonly [low: number, high: number])[];
  readonly resolution: number;
  readonly rootBits: number;
  readonly layers: number;
  readonly historyTicks: number;
  readonly overview: readonly [columns: number, rows: number];
  readonly classes: readonly { readonly name: string; readonly fields: readonly WrittenField[] }[];
  readonly reasons: readonly string[];
}

export function writeSchema(schema: WrittenSchema): Uint8Array {
  const out: number[] = [];
  const number = (value: number, bytes: number) => {
    for (let i = 0; i < bytes; i++) out.push(Math.floor(value / 256 ** i) % 256);
  };
  const real = (value: number) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    out.push(...bytes);
  };
  const text = (value: string) => {
    const bytes = new TextEncoder().encode(value);
    number(bytes.length, 4);
    out.push(...bytes);
  };
  const names = (values: readonly string[]) => {
    number(values.length, 2);
    values.forEach(text);
  };
  number(schema.version ?? 1, 1);
  number(schema.axes.length, 1);
  schema.axes.flat().forEach(real);
  real(schema.resolution);
  const { rootBits, layers, historyTicks, overview, classes } = schema;
  for (const value of [rootBits, layers, historyTicks, ...overview, classes.length]) {
    number(value, 1);
  }
  for (const { name, fields } of classes) {
    text(name);
    number(fields.length, 1);
    for (const field of fields) {
      text(field.name);
      number(field.kind, 1);
      number(field.flags, 1);
      field.range.forEach(real);
      names(field.enumerators ?? []);
    }
  }
  names(schema.reasons);
  return Uint8Array.from(out);
}
