// The arena's payloads as what the page draws, and the mix of two states that a display frame shows.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Blend } from "../client";
import {
  ArenaEventSchema,
  ArenaInputSchema,
  ObjectKind,
  StateSchema,
  type ArenaEvent,
  type Object$,
} from "../client/gen/ringcast/v1/arena_pb";

export { ObjectKind };

export interface ArenaObject {
  readonly id: number;
  readonly kind: ObjectKind;
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

/** Throws when the payload is not a State. Another simulation's bytes may look like one without a size. */
export function decodeState(payload: Uint8Array): ArenaState {
  const { width, height, members, objects } = fromBinary(StateSchema, payload);
  if (!(width > 0 && height > 0)) throw new Error("not an arena");
  return {
    width,
    height,
    members,
    objects: new Map(objects.map((object) => [object.id, arenaObject(object)])),
  };
}

export function arenaObject({ id, x, y, vxTenths, vyTenths, state }: Object$): ArenaObject {
  return {
    id,
    kind: state & 7,
    x,
    y,
    radius: (state >>> 3) / 10,
    vx: vxTenths / 10,
    vy: vyTenths / 10,
  };
}

export function decodeEvent(payload: Uint8Array): ArenaEvent["event"] {
  return fromBinary(ArenaEventSchema, payload).event;
}

export function encodeInput(dx: number, dy: number): Uint8Array {
  return toBinary(ArenaInputSchema, create(ArenaInputSchema, { dx, dy }));
}

/** Decodes on first use, once: what arrives while the page is hidden is never looked at. */
export type LazyState = () => ArenaState;

export function lazyState(payload: Uint8Array): LazyState {
  let state: ArenaState | undefined;
  return () => (state ??= decodeState(payload));
}

/** An object at its place between two states. */
export interface Shown {
  readonly object: ArenaObject;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Below 1 while it appears. */
  readonly opacity: number;
}

/** Those of the later state: an object that is new fades in, one that is gone is gone. */
export function blendStates({ from, to, alpha }: Blend<LazyState>): Shown[] {
  const before = from().objects;
  const shown: Shown[] = [];
  for (const object of to().objects.values()) {
    const earlier = before.get(object.id);
    if (earlier === undefined) {
      shown.push({ object, x: object.x, y: object.y, radius: object.radius, opacity: alpha });
    } else {
      shown.push({
        object,
        x: mix(earlier.x, object.x, alpha),
        y: mix(earlier.y, object.y, alpha),
        radius: mix(earlier.radius, object.radius, alpha),
        opacity: 1,
      });
    }
  }
  return shown;
}

function mix(a: number, b: number, alpha: number): number {
  return a + (b - a) * alpha;
}
