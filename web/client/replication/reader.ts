// A client's part of replication (docs/replication.md): frames in, objects out. Whatever bytes come
// in, what is not a frame is refused and changes nothing; from then on nothing is of use until a
// frame begins anew, for which the client asks.
import { BitReader, NotAFrame } from "./bit_reader";
import { BlockReader, order, readPositions } from "./block_reader";
import { HeldStore, type HeldList } from "./held_store";
import { HeldObject, type FieldShape, type ReplicatedObject } from "./objects";
import { foldDigest, objectDigest } from "./prediction";
import { readSchema, type Schema } from "./schema";
import { holdsAll, ViewCell, type Baseline } from "./view_cell";

export type ReadResult =
  | "ok"
  /** Not a frame: ask for everything anew. */
  | "malformed"
  /** It goes on from a frame that was not read: likewise. */
  | "noBeginning"
  /** It was read, but what is held is not what it should be: likewise. */
  | "digestDiffers";

export interface ReaderLimits {
  /** Held at a time, an object in two cells counted twice. */
  readonly objects: number;
  readonly cells: number;
}

/** Since the reader was made. */
export interface ReaderCounts {
  readonly frames: number;
  readonly malformed: number;
  readonly withoutBeginning: number;
  readonly digestsChecked: number;
  /** Digests that differed. */
  readonly desyncs: number;
}

export interface LeftObject<Shape extends FieldShape = FieldShape> {
  /** As it was last. */
  readonly object: ReplicatedObject<Shape>;
  /** Why it has ended, as the simulation numbers it; undefined: it is out of view. */
  readonly reason: number | undefined;
  /** Likewise by name; the number where the schema has no name for it. */
  readonly reasonName: string | undefined;
}

/** What a page knows of its classes beforehand: by name, their fields and the types of these. */
export type ClassShapes = { readonly [name: string]: FieldShape };

const levelBits = 5;
const overviewRowBits = 6;

export class ReplicationReader<Shapes extends ClassShapes = ClassShapes> {
  readonly schema: Schema;
  readonly #limits: ReaderLimits;
  readonly #bits = new BitReader();
  readonly #blocks: BlockReader;

  // As of the last frame.
  #begun = false;
  #tick = 0;
  #inputApplied = 0;
  /** The ticks of the last three frames. */
  #frames: Baseline = { b1: 0, b2: 0, b3: 0 };
  #held: HeldStore;
  #cells: ViewCell[] = [];
  #own: HeldList = { first: 0, count: 0 };
  readonly #overview: Uint32Array;
  readonly #rowsTold = new Set<number>();

  // As of the frame that is being read.
  #next: HeldStore;
  #nextCells: ViewCell[] = [];
  #nextOwnCount = 0;
  #nextInputApplied = 0;
  #beginsAnew = false;
  #toldDigest: number | undefined;
  /** Undefined: none came. */
  #overviewRow: number | undefined;
  readonly #overviewCounts: Uint32Array;

  readonly #byId = new Map<number, HeldObject>();
  readonly #byClass: Set<HeldObject>[];
  readonly #entered: HeldObject[] = [];
  readonly #changed: HeldObject[] = [];
  readonly #left: LeftObject[] = [];
  readonly #counts = {
    frames: 0,
    malformed: 0,
    withoutBeginning: 0,
    digestsChecked: 0,
    desyncs: 0,
  };
  #fault = "";

  /** `schema`: its bytes, as the server gives them. Throws a SchemaError when they are none. */
  constructor(schema: Uint8Array, limits: Partial<ReaderLimits> = {}) {
    this.schema = readSchema(schema);
    this.#limits = { objects: 65_536, cells: 4_096, ...limits };
    this.#held = new HeldStore(this.schema.valuesMax);
    this.#next = new HeldStore(this.schema.valuesMax);
    this.#blocks = new BlockReader(this.schema, this.#bits, this.#limits.objects);
    this.#overview = new Uint32Array(this.schema.overviewColumns * this.schema.overviewRows);
    this.#overviewCounts = new Uint32Array(this.schema.overviewColumns);
    this.#byClass = this.schema.classes.map(() => new Set());
  }

  /** Reads the next frame. Never throws, whatever its bytes; nothing of them is kept. */
  read(frame: Uint8Array): ReadResult {
    this.#entered.length = 0;
    this.#changed.length = 0;
    this.#left.length = 0;
    let tick: number | undefined;
    try {
      this.#bits.begin(frame);
      tick = this.#decode();
    } catch (error) {
      if (!(error instanceof NotAFrame)) throw error;
      this.#counts.malformed++;
      return this.#refuse("malformed", error.message);
    }
    if (tick === undefined) {
      this.#counts.withoutBeginning++;
      return this.#refuse("noBeginning", "it goes on from a frame that was not read");
    }
    this.#commit(tick);
    if (this.#toldDigest === undefined) return "ok";
    this.#counts.digestsChecked++;
    if (this.#toldDigest === this.#digest() >>> 0) return "ok";
    this.#counts.desyncs++;
    return this.#refuse(
      "digestDiffers",
      `what is held after tick ${tick} is not what it should be`,
    );
  }

  /** Frames that go on are of no use: the server is to begin anew. */
  get needsAnew(): boolean {
    return this.#fault !== "";
  }
  /** One sentence on the last frame that was not ok; empty when that was the last that came. */
  get fault(): string {
    return this.#fault;
  }
  get counts(): ReaderCounts {
    return this.#counts;
  }

  /** Of the last frame; 0 before the first. */
  get tick(): number {
    return this.#tick;
  }
  /** The newest of this member's inputs that is in this state. */
  get inputApplied(): number {
    return this.#inputApplied;
  }

  // By the last frame, and valid until the next. An object is in at most one of the first two; who
  // left comes before who entered, should an id be in both.
  get left(): readonly LeftObject[] {
    return this.#left;
  }
  get entered(): readonly ReplicatedObject[] {
    return this.#entered;
  }
  /** With another value than before, or another owner. */
  get changed(): readonly ReplicatedObject[] {
    return this.#changed;
  }

  /** How many objects are held. */
  get size(): number {
    return this.#byId.size;
  }
  /** How many cells the view has. */
  get cells(): number {
    return this.#cells.length;
  }
  find(id: number): ReplicatedObject | undefined {
    return this.#byId.get(id);
  }
  /** All that are held, in no order. */
  objects(): Iterable<ReplicatedObject> {
    return this.#byId.values();
  }
  /** Those of a class. Throws a RangeError when the schema has no such class. */
  ofClass<Name extends keyof Shapes & string>(
    name: Name,
  ): Iterable<ReplicatedObject<Shapes[Name]>> {
    const found = this.schema.classes.find((one) => one.name === name);
    if (found === undefined) throw new RangeError(`there is no class ${name}`);
    // The shape is what the page says of the schema.
    return this.#byClass[found.index]! as Iterable<ReplicatedObject> as Iterable<
      ReplicatedObject<Shapes[Name]>
    >;
  }
  /** How many objects there are in each field of the grid over all of space, row by row. */
  get overview(): Readonly<Uint32Array> {
    return this.#overview;
  }
  /** Each of its rows has come: one does every few ticks, and until then it holds zeros. */
  get overviewComplete(): boolean {
    return this.#rowsTold.size === this.schema.overviewRows;
  }

  #refuse(result: ReadResult, fault: string): ReadResult {
    this.#begun = false;
    this.#fault = fault;
    return result;
  }

  // From bytes to lists. Nothing that is held changes before all of the frame has been read.

  /** The frame's tick; undefined when it goes on from a frame that was not read. */
  #decode(): number | undefined {
    const bits = this.#bits;
    const anew = bits.flag();
    if (!anew && !this.#begun) return undefined;
    let tick: number;
    if (anew) {
      tick = bits.bits(32);
      tick += bits.bits(16) * 2 ** 32;
      if (tick === 0) throw new NotAFrame("there is no tick 0");
      this.#frames = { b1: back(tick, 1), b2: back(tick, 2), b3: back(tick, 3) };
    } else {
      tick = this.#tick + bits.expGolomb(order.count) + 1;
    }
    this.#beginsAnew = anew;
    const own = anew ? { first: 0, count: 0 } : this.#own;
    const cells = anew ? [] : this.#cells;
    this.#nextInputApplied = ((anew ? 0 : this.#inputApplied) + bits.expGolomb(order.count)) >>> 0;
    const hasExtras = bits.flag();
    const viewChanges = hasExtras && bits.flag();
    const hasOverviewRow = hasExtras && bits.flag();
    const hasDigest = hasExtras && bits.flag();
    this.#next.clear();
    this.#blocks.begin({ held: this.#held, next: this.#next, cells }, tick);
    this.#nextCells = viewChanges ? this.#readViewChanges(cells) : cells;
    this.#overviewRow = hasOverviewRow ? this.#readOverviewRow() : undefined;
    const hasOwn = own.count > 0 || bits.flag();
    this.#nextOwnCount = hasOwn ? this.#blocks.readOwn(own, this.#frames) : 0;
    const all = bits.flag();
    for (const { next } of this.#nextCells) next.updated = all || bits.flag();
    for (const cell of this.#nextCells) {
      if (cell.next.updated) this.#blocks.readCell(cell, this.#frames);
      else this.#blocks.keepCell(cell);
    }
    this.#toldDigest = hasDigest ? bits.bits(32) : undefined;
    if (bits.left >= 8) throw new NotAFrame("there is more behind it");
    return tick;
  }

  #readViewChanges(cells: readonly ViewCell[]): ViewCell[] {
    const kept: ViewCell[] = [];
    let next = 0;
    const keepTo = (position: number) => {
      for (; next < position; next++) kept.push(cells[next]!);
    };
    readPositions(this.#bits, cells.length, (position) => {
      keepTo(position);
      next = position + 1;
    });
    keepTo(cells.length);
    const added = this.#bits.expGolomb(order.count);
    if (kept.length + added > this.#limits.cells) {
      throw new NotAFrame("there are more cells than there is room for");
    }
    for (let i = 0; i < added; i++) kept.push(this.#readAddress());
    return kept;
  }

  #readAddress(): ViewCell {
    const bits = this.#bits;
    const { dimensions, placeLevels, rootBits, roots, rootIndexBits, layers } = this.schema;
    const level = bits.bits(levelBits);
    const placeLevel = Math.min(level, placeLevels);
    const edgeBits = rootBits - placeLevel;
    const low: number[] = [];
    for (let i = 0; i < dimensions; i++) {
      const place = bits.bits(rootIndexBits[i]! + placeLevel);
      if (place >>> placeLevel >= roots[i]!) throw new NotAFrame("a cell is outside of the space");
      low.push(place * 2 ** edgeBits);
    }
    // Which of the ids are in it is the server's affair.
    const pathBits = (level - placeLevel) * dimensions;
    if (pathBits > 32) throw new NotAFrame("a cell is split further than any");
    bits.bits(pathBits);
    const layer = bits.bits(this.schema.layerBits);
    if (layer >= layers) throw new NotAFrame("a cell is of a layer that there is not");
    return new ViewCell(low, edgeBits);
  }

  #readOverviewRow(): number {
    const row = this.#bits.bits(overviewRowBits);
    const { overviewColumns, overviewRows } = this.schema;
    if (overviewColumns === 0 || row >= overviewRows) {
      throw new NotAFrame("the overview has no such row");
    }
    for (let i = 0; i < overviewColumns; i++) {
      this.#overviewCounts[i] = this.#bits.expGolomb(order.overview);
    }
    return row;
  }

  // From lists to objects.

  #commit(tick: number): void {
    const frame = ++this.#counts.frames;
    // A room that was restored goes on from an earlier tick, and may have given ids away again.
    if (this.#beginsAnew && tick <= this.#tick) {
      for (const object of this.#byId.values()) this.#letGo(object, undefined);
    }
    for (const { id, reason } of this.#blocks.ended) {
      const object = this.#byId.get(id);
      if (object !== undefined) this.#letGo(object, reason);
    }
    for (const cell of this.#nextCells) cell.commit();
    [this.#held, this.#next] = [this.#next, this.#held];
    this.#cells = this.#nextCells;
    this.#own = { first: 0, count: this.#nextOwnCount };
    const { b1, b2 } = this.#frames;
    this.#hold(this.#own, tick, b1, true, frame);
    for (const { held } of this.#cells) {
      this.#hold(held, held.b1, held.b2, held.updated, frame);
    }
    this.#frames = { b1: tick, b2: b1, b3: b2 };
    this.#tick = tick;
    this.#inputApplied = this.#nextInputApplied;
    if (this.#overviewRow !== undefined) {
      this.#rowsTold.add(this.#overviewRow);
      this.#overview.set(this.#overviewCounts, this.#overviewRow * this.schema.overviewColumns);
    }
    this.#begun = true;
    this.#fault = "";
    this.#settle(tick, frame);
  }

  /** The objects of a list are held; `updated`: with values of `tick`, and behind them of `before`. */
  #hold(list: HeldList, tick: number, before: number, updated: boolean, frame: number): void {
    const store = this.#held;
    const { values } = store;
    for (let i = 0; i < list.count; i++) {
      const entry = store.entry(list.first + i);
      let object = entry.object;
      if (object === undefined || !object.held) {
        // What has ended may still be in a list that has not been told; it does not come back.
        object = entry.entered ? this.#byId.get(entry.id) : undefined;
        entry.object = object;
        if (object === undefined && !entry.entered) continue;
      }
      const layout = this.schema.classes[entry.classIndex]!;
      const selection = entry.owned ? layout.owner : layout.everyone;
      let isNew = false;
      if (object === undefined) {
        object = new HeldObject(entry.id, layout);
        object.changedIn = frame;
        entry.object = object;
        this.#byId.set(entry.id, object);
        this.#byClass[layout.index]!.add(object);
        this.#entered.push(object);
        isNew = true;
        // So that it moves from the first.
        if (before > 0 && before < tick) {
          object.take(before, selection, values, entry.at + this.schema.valuesMax);
        }
      }
      object.heldIn = frame;
      object.missingSince = 0;
      if (entry.owned) object.ownedIn = frame;
      if (!(updated || isNew) || object.class !== layout) continue;
      if (object.take(tick, selection, values, entry.at)) this.#noteChange(object, frame);
    }
  }

  #noteChange(object: HeldObject, frame: number): void {
    if (object.changedIn === frame) return;
    object.changedIn = frame;
    this.#changed.push(object);
  }

  /** Whose an object is, and whether one that no list has is still waited for. */
  #settle(tick: number, frame: number): void {
    // A cell that is not as new as the loss may be where the object went.
    let allKnown = tick;
    for (const { held } of this.#cells) {
      const isComplete = !held.fresh && held.upTo === holdsAll;
      allKnown = Math.min(allKnown, isComplete ? held.b1 : 0);
    }
    for (const object of this.#byId.values()) {
      if (object.heldIn !== frame) {
        if (object.missingSince === 0) object.missingSince = tick;
        // Not longer than any cell may go without a block, and no more than there is room for.
        const waits =
          object.missingSince > allKnown &&
          tick - object.missingSince < this.schema.historyTicks &&
          this.#byId.size <= this.#limits.objects / 2;
        if (!waits) {
          this.#letGo(object, undefined);
          continue;
        }
      }
      const owned = object.ownedIn === frame;
      if (owned === object.owned) continue;
      object.setOwned(owned);
      this.#noteChange(object, frame);
    }
  }

  #letGo(object: HeldObject, reason: number | undefined): void {
    object.held = false;
    this.#byId.delete(object.id);
    this.#byClass[object.class.index]!.delete(object);
    const name = reason === undefined ? undefined : (this.schema.reasons[reason] ?? String(reason));
    this.#left.push({ object, reason, reasonName: name });
  }

  #digest(): number {
    let digest = 0;
    for (const { held } of this.#cells) digest = foldDigest(digest, this.#sumOf(held));
    return foldDigest(digest, this.#sumOf(this.#own));
  }

  #sumOf(list: HeldList): number {
    let sum = 0;
    for (let i = 0; i < list.count; i++) {
      const { id, classIndex, owned, at } = this.#held.entry(list.first + i);
      const layout = this.schema.classes[classIndex]!;
      sum = (sum + objectDigest(id, layout, owned, this.#held.values, at)) | 0;
    }
    return sum;
  }
}

const back = (tick: number, ticks: number): number => Math.max(0, tick - ticks);
