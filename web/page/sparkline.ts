// A few seconds of a figure as a line, scaled to what it holds.
import { palette } from "./palette";
import { Surface } from "./surface";

export class Sparkline {
  readonly #surface: Surface;

  constructor(canvas: HTMLCanvasElement) {
    this.#surface = new Surface(canvas);
  }

  /** Draws `values` from left to right; undefined is a gap. `ceiling` is the least full height. */
  draw(values: readonly (number | undefined)[], ceiling: number): void {
    const { context } = this.#surface;
    const { width, height } = this.#surface.clear();
    const { signal, edge } = palette();
    context.strokeStyle = edge;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, height - 0.5);
    context.lineTo(width, height - 0.5);
    context.stroke();

    const top = Math.max(ceiling, ...values.map((value) => value ?? 0));
    const place = (i: number, value: number) => ({
      x: (i / (values.length - 1)) * width,
      y: height - 2 - (Math.max(0, value) / top) * (height - 4),
    });
    context.strokeStyle = signal;
    context.fillStyle = signal;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    for (const run of runs(values)) {
      const points = run.values.map((value, i) => place(run.start + i, value));
      context.beginPath();
      for (const point of points) context.lineTo(point.x, point.y);
      context.stroke();
      context.lineTo(points.at(-1)!.x, height - 1);
      context.lineTo(points[0]!.x, height - 1);
      context.globalAlpha = 0.12;
      context.fill();
      context.globalAlpha = 1;
    }
  }
}

interface Run {
  readonly start: number;
  readonly values: number[];
}

/** The stretches without a gap. */
function runs(values: readonly (number | undefined)[]): Run[] {
  const found: Run[] = [];
  let open: Run | undefined;
  values.forEach((value, i) => {
    if (value === undefined) {
      open = undefined;
      return;
    }
    if (open === undefined) {
      open = { start: i, values: [] };
      found.push(open);
    }
    open.values.push(value);
  });
  return found;
}
