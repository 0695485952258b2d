// A few seconds of a figure as a line, scaled to what it holds.

export class Sparkline {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #colour: string;
  readonly #faint: string;

  constructor(canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("this browser has no 2D canvas");
    this.#canvas = canvas;
    this.#context = context;
    const style = getComputedStyle(document.documentElement);
    this.#colour = style.getPropertyValue("--signal").trim();
    this.#faint = style.getPropertyValue("--grid").trim();
  }

  /** Draws `values` from left to right; undefined is a gap. `ceiling` is the least full height. */
  draw(values: readonly (number | undefined)[], ceiling: number): void {
    const context = this.#context;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ratio = window.devicePixelRatio;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);

    context.strokeStyle = this.#faint;
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
    context.strokeStyle = this.#colour;
    context.fillStyle = this.#colour;
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
