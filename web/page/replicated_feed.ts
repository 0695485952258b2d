// Scenes of a room that sends each member what it can see: the reader's objects, each at its place at
// the tick that is shown. A disc stays the same one while its object is held, so that a display frame
// makes nothing anew.
import {
  InterpolationBuffer,
  type LeftObject,
  type ReplicatedFrame,
  type ReplicatedObject,
  type ReplicationReader,
  type ReplicationSchema,
} from "../client";
import { nameOf } from "./player_name";
import {
  nearestBody,
  NotAnArena,
  type Disc,
  type DiscKind,
  type Feed,
  type Mark,
  type Scene,
  type Size,
  type WorldMap,
} from "./scene";

const kinds: readonly DiscKind[] = ["player", "bot", "fragment"];
const fadeInMs = 250;
/** Of a radius that has changed, so much of the way is left after a second. */
const radiusLagPerSecond = 1e-4;
/** Between a fragment and what has absorbed it, units. */
const absorbReach = 24;

/** Where a class has the fields that are drawn. */
interface Places {
  readonly radius: number;
  readonly score: number | undefined;
  readonly away: number | undefined;
  readonly nameParts: readonly number[];
  readonly members: number | undefined;
}

type Held = { -readonly [Key in keyof Disc]: Disc[Key] } & {
  readonly object: ReplicatedObject;
  readonly places: Places;
  readonly sinceMs: number;
  /** Of which `name` was made. */
  readonly nameQuanta: number[];
};

export class ReplicatedFeed implements Feed {
  readonly #rateHz: number;
  readonly #mark: (mark: Mark) => void;
  readonly #ticks = new InterpolationBuffer<number>();
  readonly #discs = new Map<ReplicatedObject, Held>();
  #places: ReadonlyMap<string, Places> = new Map();
  #arena: Size = { width: 0, height: 0 };
  #reader: ReplicationReader | undefined;
  #own: Held | undefined;
  #shownAtMs = 0;

  /** Of one session. `mark` is told what ends in view. */
  constructor(rateHz: number, mark: (mark: Mark) => void) {
    this.#rateHz = rateHz;
    this.#mark = mark;
  }

  /** Throws a NotAnArena where the schema is not an arena's. */
  takeFrame({ reader, tick, serverTimeMs, receivedAtMs }: ReplicatedFrame): void {
    if (this.#reader === undefined) {
      this.#places = placesOf(reader.schema);
      const [width, height] = reader.schema.axes.map(({ most, resolution }) => most * resolution);
      this.#arena = { width: width!, height: height! };
    }
    this.#reader = reader;
    for (const left of reader.left) this.#leave(left);
    for (const object of reader.entered) this.#enter(object, receivedAtMs);
    for (const object of reader.changed) {
      const disc = this.#discs.get(object);
      if (disc !== undefined) this.#read(disc);
    }
    this.#ticks.push(serverTimeMs, receivedAtMs, tick);
  }

  get members(): number | undefined {
    const own = this.#own;
    if (own?.places.members === undefined) return undefined;
    return own.object.number(own.places.members);
  }
  get desyncs(): number {
    return this.#reader?.counts.desyncs ?? 0;
  }
  get watches(): boolean {
    return this.#reader !== undefined && this.#own === undefined;
  }

  shownServerTimeMs(nowMs: number): number | undefined {
    return this.#ticks.shownServerTimeMs(nowMs);
  }

  map(): WorldMap | undefined {
    if (this.#reader === undefined) return undefined;
    const { schema, overview: counts, overviewComplete } = this.#reader;
    const { overviewColumns: columns, overviewRows: rows } = schema;
    return columns === 0 ? undefined : { columns, rows, counts, partial: !overviewComplete };
  }

  scene(nowMs: number): Scene | undefined {
    const blend = this.#ticks.sample(nowMs);
    if (blend === undefined) return undefined;
    const tick = blend.from + (blend.to - blend.from) * blend.alpha;
    const remains = radiusLagPerSecond ** (Math.min(1000, nowMs - this.#shownAtMs) / 1000);
    this.#shownAtMs = nowMs;
    const discs: Held[] = [];
    for (const disc of this.#discs.values()) {
      const { object, places } = disc;
      disc.x = object.numberAt(0, tick);
      disc.y = object.numberAt(1, tick);
      disc.vx = (disc.x - object.numberAt(0, tick - 1)) * this.#rateHz;
      disc.vy = (disc.y - object.numberAt(1, tick - 1)) * this.#rateHz;
      const radius = object.numberAt(places.radius, tick);
      disc.radius = radius + (disc.radius - radius) * remains;
      disc.opacity = Math.min(1, Math.max(0, (nowMs - disc.sinceMs) / fadeInMs));
      discs.push(disc);
    }
    return { arena: this.#arena, discs, own: this.#own };
  }

  #enter(object: ReplicatedObject, nowMs: number): void {
    const places = this.#places.get(object.class.name);
    if (places === undefined) return;
    const disc: Held = {
      object,
      places,
      sinceMs: nowMs,
      nameQuanta: places.nameParts.map(() => 0),
      id: object.id,
      kind: object.class.name as DiscKind,
      own: false,
      away: false,
      name: "",
      score: undefined,
      x: object.number(0),
      y: object.number(1),
      radius: object.number(places.radius),
      vx: 0,
      vy: 0,
      opacity: 0,
    };
    this.#discs.set(object, disc);
    this.#read(disc);
  }

  /** What changes with frames, not between them. */
  #read(disc: Held): void {
    const { object, places } = disc;
    disc.own = object.owned;
    if (disc.own) this.#own = disc;
    else if (this.#own === disc) this.#own = undefined;
    if (places.score !== undefined) disc.score = object.number(places.score);
    if (places.away !== undefined) disc.away = object.number(places.away) !== 0;
    if (takeQuanta(object, places.nameParts, disc.nameQuanta)) disc.name = nameOf(disc.nameQuanta);
  }

  #leave({ object, reasonName }: LeftObject): void {
    const disc = this.#discs.get(object);
    if (disc === undefined) return;
    this.#discs.delete(object);
    if (this.#own === disc) this.#own = undefined;
    if (reasonName === undefined) return;
    const at = { x: disc.x, y: disc.y };
    const into =
      reasonName === "absorbed" ? nearestBody(this.#discs.values(), at, absorbReach) : undefined;
    const style = into === undefined ? "burst" : "absorb";
    this.#mark({ style, at, into: into ?? at, radius: disc.radius });
  }
}

/** True when one of them differs from before. */
function takeQuanta(object: ReplicatedObject, indexes: readonly number[], into: number[]): boolean {
  let differs = false;
  for (const [place, index] of indexes.entries()) {
    const quantum = object.quantum(index);
    if (quantum === into[place]) continue;
    into[place] = quantum;
    differs = true;
  }
  return differs;
}

function placesOf(schema: ReplicationSchema): Map<string, Places> {
  if (schema.dimensions !== 2) throw new NotAnArena("an arena has two dimensions");
  const places = new Map<string, Places>();
  for (const kind of kinds) {
    const fields = schema.classes.find(({ name }) => name === kind)?.fields;
    const radius = fields?.get("radius");
    if (fields === undefined || radius === undefined) {
      throw new NotAnArena(`an arena has a ${kind} with a radius`);
    }
    const nameParts: number[] = [];
    for (let part = 0; fields.has(`name_${part}`); part++) nameParts.push(fields.get(`name_${part}`)!);
    places.set(kind, {
      radius,
      score: fields.get("score"),
      away: fields.get("away"),
      nameParts,
      members: fields.get("members"),
    });
  }
  return places;
}
