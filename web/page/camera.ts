// From arena units to canvas pixels. An arena that fits is shown whole; a larger one is seen around
// the player, at a size at which discs can be told apart and no further than the room tells.
import type { Size } from "./scene";
import type { Point } from "./steering";

/** CSS pixels of a unit: at least, where discs are still discs. */
const scaleMin = 0.6;
/** What is told goes so far beyond what is shown, in units: the camera follows a little late. */
const margin = 64;
/** A room tells of 1,600 x 900 units or as many square ones, and not further to a side. */
const shownSideMax = 1_600 - 2 * margin;
const shownAreaMax = 1_150_000;
/** Around an arena that is shown whole, and what is seen beyond the edge of another. */
const marginPixels = 28;
/** The part of the way to the player that remains after a second. */
const lagPerSecond = 0.02;

export class Camera {
  #centre: Point | undefined;
  #updatedAtMs = 0;
  #scale = 1;
  #showsAll = true;
  #view: Size = { width: 1, height: 1 };

  get scale(): number {
    return this.#scale;
  }

  /** Whether the whole arena is to be seen. */
  get showsAll(): boolean {
    return this.#showsAll;
  }

  /** What the canvas shows, in units. */
  get shown(): Size {
    return { width: this.#view.width / this.#scale, height: this.#view.height / this.#scale };
  }

  /** What the room should tell of, in units. */
  get wanted(): Size {
    const { width, height } = this.shown;
    return { width: width + 2 * margin, height: height + 2 * margin };
  }

  /** In the middle of the canvas. */
  get centre(): Point {
    return this.#centre ?? { x: 0, y: 0 };
  }

  /** Aims at `player`, or at the middle of the arena without one. */
  update(arena: Size, view: Size, player: Point | undefined, nowMs: number): void {
    this.#view = view;
    this.#scale = this.#fit(arena, view);
    const wanted = {
      x: this.#aim(player?.x, arena.width, view.width),
      y: this.#aim(player?.y, arena.height, view.height),
    };
    const elapsedMs = Math.max(0, Math.min(1000, nowMs - this.#updatedAtMs));
    this.#updatedAtMs = nowMs;
    const { width, height } = this.shown;
    const before = this.#centre;
    const jumps =
      before === undefined ||
      Math.abs(wanted.x - before.x) > width / 2 ||
      Math.abs(wanted.y - before.y) > height / 2;
    const remains = jumps ? 0 : lagPerSecond ** (elapsedMs / 1000);
    this.#centre = {
      x: wanted.x + ((before?.x ?? 0) - wanted.x) * remains,
      y: wanted.y + ((before?.y ?? 0) - wanted.y) * remains,
    };
  }

  /** Where a point of the arena is on the canvas, in CSS pixels. */
  project(point: Point): Point {
    return { x: this.across(point.x), y: this.down(point.y) };
  }
  across(x: number): number {
    return this.#view.width / 2 + (x - this.centre.x) * this.#scale;
  }
  down(y: number): number {
    return this.#view.height / 2 + (y - this.centre.y) * this.#scale;
  }

  #fit(arena: Size, { width, height }: Size): number {
    const whole = Math.min(
      (width - 2 * marginPixels) / arena.width,
      (height - 2 * marginPixels) / arena.height,
    );
    this.#showsAll = whole >= scaleMin;
    if (this.#showsAll) return whole;
    const byArea = Math.sqrt((width * height) / shownAreaMax);
    return Math.max(scaleMin, byArea, width / shownSideMax, height / shownSideMax);
  }

  #aim(player: number | undefined, arena: number, view: number): number {
    const half = (view / 2 - marginPixels) / this.#scale;
    if (2 * half >= arena || player === undefined) return arena / 2;
    return Math.min(arena - half, Math.max(half, player));
  }
}
