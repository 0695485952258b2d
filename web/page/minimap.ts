// All of the arena in a corner of the screen: how crowded each part of it is, what of it is on the
// screen, and the player. It knows nothing but counts of what is far.
import type { Camera } from "./camera";
import { frameOn, shades } from "./map_shapes";
import { palette } from "./palette";
import type { Scene, WorldMap } from "./scene";
import { Surface } from "./surface";

export class Minimap {
  readonly #canvas: HTMLCanvasElement;
  readonly #surface: Surface;
  readonly #fields = document.createElement("canvas");

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#surface = new Surface(canvas);
  }

  /** Hidden where the screen shows all there is. */
  draw({ arena, own }: Scene, map: WorldMap | undefined, camera: Camera): void {
    this.#canvas.hidden = map === undefined || camera.showsAll;
    if (map === undefined || camera.showsAll) return;
    this.#canvas.style.aspectRatio = String(arena.width / arena.height);
    const { context } = this.#surface;
    const size = this.#surface.clear();
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#shade(map), 0, 0, size.width, size.height);
    const frame = frameOn(size, arena, camera.centre, camera.shown);
    context.strokeStyle = palette().text;
    context.globalAlpha = 0.75;
    context.lineWidth = 1;
    context.strokeRect(frame.x + 0.5, frame.y + 0.5, frame.width - 1, frame.height - 1);
    context.globalAlpha = 1;
    if (own === undefined) return;
    context.fillStyle = palette().own;
    context.beginPath();
    const x = (own.x / arena.width) * size.width;
    const y = (own.y / arena.height) * size.height;
    context.arc(x, y, 2.5, 0, 2 * Math.PI);
    context.fill();
  }

  /** A pixel for each field: drawn larger they run into one another. */
  #shade(map: WorldMap): HTMLCanvasElement {
    const fields = this.#fields;
    fields.width = map.columns;
    fields.height = map.rows;
    const context = fields.getContext("2d");
    if (context === null) return fields;
    context.fillStyle = palette().bot;
    shades(map).forEach((shade, i) => {
      context.globalAlpha = 0.6 * shade;
      context.fillRect(i % map.columns, Math.floor(i / map.columns), 1, 1);
    });
    return fields;
  }
}
