// The arena on a canvas: in CSS pixels, at the display's own resolution. Colours are the style
// sheet's, so that the legend shows the same.
import { ObjectKind, type Shown } from "./arena_state";
import type { Camera, Size } from "./camera";
import { effectMs, type Effect } from "./effects";
import type { Point } from "./steering";

/** All that a frame shows. */
export interface View {
  readonly arena: Size;
  readonly shown: readonly Shown[];
  readonly ownId: number | undefined;
  readonly pointer: Point | undefined;
  readonly effects: readonly Effect[];
  /** Whether whoever looks asked for reduced motion: nothing moves but the objects. */
  readonly calm: boolean;
}

interface Palette {
  readonly floor: string;
  readonly grid: string;
  readonly edge: string;
  readonly own: string;
  readonly player: string;
  readonly bot: string;
  readonly fragment: string;
}

const fullTurn = 2 * Math.PI;
const gridUnits = 100;
const trailMs = 700;
const labelFont = '600 11px "Geist Variable", system-ui, sans-serif';

export class Renderer {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #palette: Palette;
  #trail: (Point & { readonly atMs: number })[] = [];

  constructor(canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("this browser has no 2D canvas");
    this.#canvas = canvas;
    this.#context = context;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
    this.#palette = {
      floor: colour("floor"),
      grid: colour("grid"),
      edge: colour("edge"),
      own: colour("own"),
      player: colour("player"),
      bot: colour("bot"),
      fragment: colour("fragment"),
    };
  }

  /** The canvas in CSS pixels. */
  get size(): Size {
    return { width: this.#canvas.clientWidth, height: this.#canvas.clientHeight };
  }

  draw(view: View, camera: Camera, nowMs: number): void {
    const context = this.#context;
    this.#fitResolution();
    context.clearRect(0, 0, this.size.width, this.size.height);
    this.#drawFloor(view.arena, camera);
    const own = view.shown.find(({ object }) => object.id === view.ownId);
    if (!view.calm) this.#drawTrail(own, camera, nowMs);
    this.#drawKind(view, camera, ObjectKind.FRAGMENT, this.#palette.fragment);
    this.#drawKind(view, camera, ObjectKind.BOT, this.#palette.bot);
    this.#drawKind(view, camera, ObjectKind.PLAYER, this.#palette.player);
    this.#drawKind(view, camera, ObjectKind.PLAYER_AWAY, this.#palette.player);
    if (!view.calm) for (const effect of view.effects) this.#drawEffect(effect, camera, nowMs);
    if (own !== undefined) {
      if (view.pointer !== undefined) this.#drawPointer(camera.project(own), view.pointer);
      this.#drawOwn(own, camera, view.calm ? 0 : nowMs);
    }
    context.globalAlpha = 1;
  }

  #fitResolution(): void {
    const { width, height } = this.size;
    const ratio = window.devicePixelRatio;
    const [deviceWidth, deviceHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.#canvas.width !== deviceWidth || this.#canvas.height !== deviceHeight) {
      this.#canvas.width = deviceWidth;
      this.#canvas.height = deviceHeight;
    }
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  #drawFloor(arena: Size, camera: Camera): void {
    const context = this.#context;
    const { x: left, y: top } = camera.project({ x: 0, y: 0 });
    const [width, height] = [arena.width * camera.scale, arena.height * camera.scale];
    context.fillStyle = this.#palette.floor;
    context.fillRect(left, top, width, height);

    context.beginPath();
    const spacing = gridUnits * camera.scale;
    for (let x = left + spacing; x < left + width - 1; x += spacing) {
      context.moveTo(Math.round(x) + 0.5, top);
      context.lineTo(Math.round(x) + 0.5, top + height);
    }
    for (let y = top + spacing; y < top + height - 1; y += spacing) {
      context.moveTo(left, Math.round(y) + 0.5);
      context.lineTo(left + width, Math.round(y) + 0.5);
    }
    context.strokeStyle = this.#palette.grid;
    context.lineWidth = 1;
    context.stroke();

    context.strokeStyle = this.#palette.edge;
    context.strokeRect(Math.round(left) - 0.5, Math.round(top) - 0.5, width + 1, height + 1);
  }

  #drawKind(view: View, camera: Camera, kind: ObjectKind, colour: string): void {
    const context = this.#context;
    const solid = kind === ObjectKind.FRAGMENT;
    const absent = kind === ObjectKind.PLAYER_AWAY;
    // Nobody is in it: a broken line around nothing.
    context.setLineDash(absent ? [4, 4] : []);
    context.fillStyle = colour;
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    for (const shown of view.shown) {
      if (shown.object.kind !== kind || shown.object.id === view.ownId) continue;
      const { x, y } = camera.project(shown);
      const radius = Math.max(1.5, shown.radius * camera.scale);
      if (x < -radius || y < -radius || x > this.size.width + radius) continue;
      context.beginPath();
      context.arc(x, y, radius, 0, fullTurn);
      if (!absent) {
        context.globalAlpha = shown.opacity * (solid ? 0.85 : 0.24);
        context.fill();
      }
      if (solid) continue;
      // The rim, and a spoke that shows where it is going.
      const speed = Math.hypot(shown.object.vx, shown.object.vy);
      if (speed > 1 && !absent) {
        context.moveTo(x, y);
        context.lineTo(
          x + (shown.object.vx / speed) * radius,
          y + (shown.object.vy / speed) * radius,
        );
      }
      context.globalAlpha = shown.opacity * (absent ? 0.6 : 0.95);
      context.stroke();
    }
    context.setLineDash([]);
  }

  #drawOwn(own: Shown, camera: Camera, nowMs: number): void {
    const context = this.#context;
    const { x, y } = camera.project(own);
    const radius = Math.max(3, own.radius * camera.scale);
    const breath = 0.5 + 0.5 * Math.sin(nowMs / 450);
    context.fillStyle = this.#palette.own;
    context.strokeStyle = this.#palette.own;

    context.globalAlpha = 0.1 + 0.05 * breath;
    context.beginPath();
    context.arc(x, y, radius + 9 + 3 * breath, 0, fullTurn);
    context.fill();

    context.globalAlpha = 1;
    context.beginPath();
    context.arc(x, y, radius, 0, fullTurn);
    context.fill();

    context.globalAlpha = 0.8;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, radius + 5, 0, fullTurn);
    context.stroke();

    context.globalAlpha = 0.95;
    context.font = labelFont;
    context.textAlign = "center";
    context.textBaseline = "top";
    context.strokeStyle = this.#palette.floor; // legible over whatever is there
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeText("you", x, y + radius + 11);
    context.fillText("you", x, y + radius + 11);
  }

  /** A ribbon over where the player was, that narrows and fades towards its end. */
  #drawTrail(own: Shown | undefined, camera: Camera, nowMs: number): void {
    if (own === undefined) {
      this.#trail = [];
      return;
    }
    this.#trail = this.#trail.filter((point) => nowMs - point.atMs < trailMs);
    this.#trail.push({ x: own.x, y: own.y, atMs: nowMs });
    const points = this.#trail.map((point) => camera.project(point));
    const [tail, head] = [points[0]!, points.at(-1)!];
    const length = Math.hypot(head.x - tail.x, head.y - tail.y);
    if (length < 2) return;

    const left: Point[] = [];
    const right: Point[] = [];
    points.forEach((point, i) => {
      const ahead = points[Math.min(i + 1, points.length - 1)]!;
      const behind = points[Math.max(i - 1, 0)]!;
      const distance = Math.hypot(ahead.x - behind.x, ahead.y - behind.y);
      if (distance === 0) return;
      const half = (own.radius * camera.scale * 0.85 * i) / points.length / distance;
      const across = { x: -(ahead.y - behind.y) * half, y: (ahead.x - behind.x) * half };
      left.push({ x: point.x + across.x, y: point.y + across.y });
      right.unshift({ x: point.x - across.x, y: point.y - across.y });
    });

    const context = this.#context;
    const fade = context.createLinearGradient(tail.x, tail.y, head.x, head.y);
    fade.addColorStop(0, "transparent");
    fade.addColorStop(1, this.#palette.own);
    context.fillStyle = fade;
    context.globalAlpha = 0.4;
    context.beginPath();
    for (const { x, y } of [...left, ...right]) context.lineTo(x, y);
    context.fill();
  }

  #drawPointer(own: Point, pointer: Point): void {
    const context = this.#context;
    context.strokeStyle = this.#palette.own;
    context.globalAlpha = 0.45;
    context.lineWidth = 1.25;
    context.setLineDash([2, 6]);
    context.beginPath();
    context.moveTo(own.x, own.y);
    context.lineTo(pointer.x, pointer.y);
    context.stroke();
    context.setLineDash([]);
    context.beginPath();
    context.arc(pointer.x, pointer.y, 12, 0, fullTurn);
    context.stroke();
  }

  #drawEffect(effect: Effect, camera: Camera, nowMs: number): void {
    const context = this.#context;
    const progress = Math.min(1, Math.max(0, (nowMs - effect.startedAtMs) / effectMs));
    const eased = 1 - (1 - progress) ** 3;
    const at = camera.project(effect.at);
    const radius = Math.max(2, effect.radius * camera.scale);
    context.strokeStyle = effect.style === "appear" ? this.#palette.bot : this.#palette.fragment;
    context.lineWidth = 1.25;
    context.globalAlpha = 0.7 * (1 - progress);
    context.beginPath();
    if (effect.style === "absorb") {
      const into = camera.project(effect.into);
      context.moveTo(at.x + (into.x - at.x) * eased, at.y + (into.y - at.y) * eased);
      context.lineTo(into.x, into.y);
    } else {
      context.arc(at.x, at.y, radius + 14 * eased, 0, fullTurn);
    }
    context.stroke();
  }
}
