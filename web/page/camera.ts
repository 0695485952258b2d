// From arena units to canvas pixels. The whole arena is shown where it fits at a size at which its
// objects can be told apart; where not, it fills the screen's other dimension if it can, and the view
// follows the player and stops at the edges.
import type { Point } from "./steering";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** CSS pixels of a unit: at least, and at most where the view follows the player. */
const scaleMin = 0.55;
const followScaleMax = 0.8;
const marginPixels = 28;
/** The part of the way to the player that remains after a second. */
const lagPerSecond = 0.02;

export class Camera {
  #centre: Point | undefined;
  #updatedAtMs = 0;
  #scale = 1;
  #view: Size = { width: 1, height: 1 };

  get scale(): number {
    return this.#scale;
  }

  /** Aims at `player`, or at the middle of the arena without one. */
  update(arena: Size, view: Size, player: Point | undefined, nowMs: number): void {
    this.#view = view;
    const across = (view.width - 2 * marginPixels) / arena.width;
    const down = (view.height - 2 * marginPixels) / arena.height;
    const fit = Math.min(across, down);
    this.#scale =
      fit >= scaleMin
        ? fit
        : Math.min(followScaleMax, Math.max(scaleMin, across, down));
    const wanted = {
      x: this.#aim(player?.x, arena.width, view.width),
      y: this.#aim(player?.y, arena.height, view.height),
    };
    const remains = lagPerSecond ** (Math.min(1000, nowMs - this.#updatedAtMs) / 1000);
    this.#updatedAtMs = nowMs;
    this.#centre =
      this.#centre === undefined
        ? wanted
        : {
            x: wanted.x + (this.#centre.x - wanted.x) * remains,
            y: wanted.y + (this.#centre.y - wanted.y) * remains,
          };
  }

  /** Where a point of the arena is on the canvas, in CSS pixels. */
  project(point: Point): Point {
    const centre = this.#centre ?? point;
    return {
      x: this.#view.width / 2 + (point.x - centre.x) * this.#scale,
      y: this.#view.height / 2 + (point.y - centre.y) * this.#scale,
    };
  }

  #aim(player: number | undefined, arena: number, view: number): number {
    const half = (view / 2 - marginPixels) / this.#scale;
    if (2 * half >= arena || player === undefined) return arena / 2;
    return Math.min(arena - half, Math.max(half, player));
  }
}
