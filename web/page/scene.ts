// What there is to be drawn at a moment, whatever form of the room it comes from. One display frame
// is one scene: feeds make it, the camera, the renderer and the panel read it.
import type { Point } from "./steering";

export type DiscKind = "player" | "bot" | "fragment";

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Disc {
  readonly id: number;
  readonly kind: DiscKind;
  /** Steered from here. */
  readonly own: boolean;
  /** Of a member whose connection is lost. */
  readonly away: boolean;
  /** Empty for who has none. */
  readonly name: string;
  /** Fragments absorbed; undefined where the room does not tell. */
  readonly score: number | undefined;
  /** Units. */
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Units per second. */
  readonly vx: number;
  readonly vy: number;
  /** Below 1 while it appears. */
  readonly opacity: number;
}

export interface Scene {
  readonly arena: Size;
  readonly discs: readonly Disc[];
  readonly own: Disc | undefined;
}

/** How many objects there are in each field of a grid over all of the arena, row by row. */
export interface WorldMap {
  readonly columns: number;
  readonly rows: number;
  readonly counts: ArrayLike<number>;
  /** Not all of it has come yet: the rest is 0. */
  readonly partial: boolean;
}

/** An object that has just begun or ended where it can be seen. */
export interface Mark {
  readonly style: "appear" | "absorb" | "burst";
  readonly at: Point;
  /** For `absorb`: where to. */
  readonly into: Point;
  readonly radius: number;
}

/** A room's messages made into scenes. What it was given goes in by methods of its own. */
export interface Feed {
  /** At `nowMs` of the local clock; undefined before the first state. Valid until the next call. */
  scene(nowMs: number): Scene | undefined;
  /** The server's time that this shows; undefined while not known. */
  shownServerTimeMs(nowMs: number): number | undefined;
  map(): WorldMap | undefined;
  readonly members: number | undefined;
  /** Frames that were not what the server has; undefined where nothing checks that. */
  readonly desyncs: number | undefined;
  /** Whether this member has no disc: it watches. */
  readonly watches: boolean;
}

/** Where what is received is no arena. */
export class NotAnArena extends Error {}

/** Of all objects; undefined while it is not known. */
export function totalOf({ counts, partial }: WorldMap): number | undefined {
  if (partial) return undefined;
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i]!;
  return total;
}

/** The disc that `at` is in or next to, other than fragments: what has absorbed one there. */
export function nearestBody(discs: Iterable<Disc>, at: Point, reach: number): Disc | undefined {
  let nearest: Disc | undefined;
  let least = reach;
  for (const disc of discs) {
    if (disc.kind === "fragment") continue;
    const apart = Math.hypot(disc.x - at.x, disc.y - at.y) - disc.radius;
    if (apart >= least) continue;
    nearest = disc;
    least = apart;
  }
  return nearest;
}
