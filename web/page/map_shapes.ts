// The map's arithmetic: what of it is on the screen, and how dark its parts are.
import type { Size, WorldMap } from "./scene";
import type { Point } from "./steering";

/** The rectangle of the map, in its pixels, that the screen shows. */
export interface Frame {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where what is shown around `centre` lies on a map of `size`, cut at its edges. */
export function frameOn(size: Size, arena: Size, centre: Point, shown: Size): Frame {
  const across = size.width / arena.width;
  const down = size.height / arena.height;
  const left = Math.max(0, (centre.x - shown.width / 2) * across);
  const top = Math.max(0, (centre.y - shown.height / 2) * down);
  const right = Math.min(size.width, (centre.x + shown.width / 2) * across);
  const bottom = Math.min(size.height, (centre.y + shown.height / 2) * down);
  return { x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top) };
}

/** How dark each field is drawn, 0 to 1: the most crowded is 1, and few are not nothing. */
export function shades({ counts }: WorldMap): Float32Array {
  let most = 1;
  for (let i = 0; i < counts.length; i++) most = Math.max(most, counts[i]!);
  return Float32Array.from(counts, (count) => Math.sqrt(count / most));
}
