// The arena's payloads: inputs of every room, states and events of one that sends everything to
// everyone.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ArenaEventSchema,
  ArenaInputSchema,
  ObjectKind,
  StateSchema,
  type ArenaEvent,
  type Object$,
} from "../client/gen/ringcast/v1/arena_pb";
import { NotAnArena, type DiscKind, type Size } from "./scene";
import type { Direction } from "./steering";

export interface ArenaObject {
  readonly id: number;
  readonly kind: DiscKind;
  readonly away: boolean;
  /** Units. */
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Units per second. */
  readonly vx: number;
  readonly vy: number;
}

export interface ArenaState {
  readonly width: number;
  readonly height: number;
  readonly members: number;
  readonly objects: ReadonlyMap<number, ArenaObject>;
}

/** Throws a NotAnArena for other bytes; another simulation's may look like a State without a size. */
export function decodeState(payload: Uint8Array): ArenaState {
  const { width, height, members, objects } = decoded(() => fromBinary(StateSchema, payload));
  if (!(width > 0 && height > 0)) throw new NotAnArena("an arena has a size");
  return {
    width,
    height,
    members,
    objects: new Map(objects.map((object) => [object.id, arenaObject(object)])),
  };
}

export function arenaObject({ id, x, y, vxTenths, vyTenths, state }: Object$): ArenaObject {
  const kind = state & 7;
  return {
    id,
    kind: kindOf(kind),
    away: kind === ObjectKind.PLAYER_AWAY,
    x,
    y,
    radius: (state >>> 3) / 10,
    vx: vxTenths / 10,
    vy: vyTenths / 10,
  };
}

function kindOf(kind: ObjectKind): DiscKind {
  if (kind === ObjectKind.BOT) return "bot";
  return kind === ObjectKind.FRAGMENT ? "fragment" : "player";
}

/** Throws a NotAnArena likewise. */
export function decodeEvent(payload: Uint8Array): ArenaEvent["event"] {
  return decoded(() => fromBinary(ArenaEventSchema, payload).event);
}

function decoded<Message>(decode: () => Message): Message {
  try {
    return decode();
  } catch {
    throw new NotAnArena("a message of another simulation");
  }
}

/** What a member tells: a direction always, the rest when it is new. */
export interface ArenaWish extends Direction {
  readonly name?: string;
  /** What the screen shows, in units. */
  readonly view?: Size;
}

export function encodeInput({ dx, dy, name, view }: ArenaWish): Uint8Array {
  const input = create(ArenaInputSchema, { dx, dy });
  if (name !== undefined) input.name = new TextEncoder().encode(name);
  if (view !== undefined) {
    input.viewWidth = view.width;
    input.viewHeight = view.height;
  }
  return toBinary(ArenaInputSchema, input);
}
