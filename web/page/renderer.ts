// The arena on a canvas: what the camera shows of a scene. Discs of a kind are one path, so that a
// few hundred cost as much as a few.
import type { Camera } from "./camera";
import { effectMs, type Effect } from "./effects";
import { palette } from "./palette";
import type { Disc, Scene, Size } from "./scene";
import type { Point } from "./steering";
import { Surface } from "./surface";

/** All that a frame shows. */
export interface View {
  readonly scene: Scene;
  readonly pointer: Point | undefined;
  readonly effects: readonly Effect[];
  /** Whether whoever looks asked for reduced motion: nothing moves but the objects. */
  readonly calm: boolean;
}

interface Style {
  readonly colour: string;
  readonly fill: number;
  readonly rim: number;
  readonly spoke: boolean;
  readonly dash: readonly number[];
}

const fullTurn = 2 * Math.PI;
const gridUnits = 100;
/** A stronger line: what makes motion readable where few discs are. */
const gridStrongEvery = 5;
const trailMs = 700;
const font = '"Geist Variable", system-ui, sans-serif';
const labelFont = `600 11px ${font}`;
const namesMax = 60;

export class Renderer {
  readonly #surface: Surface;
  #size: Size = { width: 1, height: 1 };
  #trail: (Point & { readonly atMs: number })[] = [];

  constructor(canvas: HTMLCanvasElement) {
    this.#surface = new Surface(canvas);
  }

  /** The canvas in CSS pixels. */
  get size(): Size {
    return this.#surface.size;
  }

  draw({ scene, pointer, effects, calm }: View, camera: Camera, nowMs: number): void {
    this.#size = this.#surface.clear();
    this.#drawFloor(scene.arena, camera);
    const { own } = scene;
    if (!calm) this.#drawTrail(own, camera, nowMs);

    const colours = palette();
    const seen = scene.discs.filter((disc) => !disc.own && this.#isSeen(disc, camera));
    const of = (kind: Disc["kind"], away = false) =>
      seen.filter((disc) => disc.kind === kind && disc.away === away);
    const body = { fill: 0.24, rim: 0.95, spoke: true, dash: [] };
    this.#drawDiscs(of("fragment"), camera, {
      ...body,
      colour: colours.fragment,
      fill: 0.85,
      rim: 0,
      spoke: false,
    });
    this.#drawDiscs(of("bot"), camera, { ...body, colour: colours.bot });
    this.#drawDiscs(of("player"), camera, { ...body, colour: colours.player, fill: 0.34 });
    // Nobody is in it: a broken line around nothing.
    const nobody = { colour: colours.player, fill: 0, rim: 0.6, spoke: false, dash: [4, 4] };
    this.#drawDiscs(of("player", true), camera, nobody);
    if (!calm) for (const effect of effects) this.#drawEffect(effect, camera, nowMs);
    this.#drawNames(seen, camera);
    if (own !== undefined) {
      if (pointer !== undefined) this.#drawPointer(camera.project(own), pointer);
      this.#drawOwn(own, camera, calm ? 0 : nowMs);
    }
    this.#surface.context.globalAlpha = 1;
  }

  #isSeen({ x, y, radius }: Disc, camera: Camera): boolean {
    const reach = radius * camera.scale + 2;
    const [across, down] = [camera.across(x), camera.down(y)];
    return (
      across > -reach &&
      down > -reach &&
      across < this.#size.width + reach &&
      down < this.#size.height + reach
    );
  }

  /** Only what is on the canvas: the arena may be a hundred screens. */
  #drawFloor(arena: Size, camera: Camera): void {
    const { context } = this.#surface;
    const { x: left, y: top } = camera.project({ x: 0, y: 0 });
    const [width, height] = [arena.width * camera.scale, arena.height * camera.scale];
    const colours = palette();
    context.globalAlpha = 1;
    context.fillStyle = colours.floor;
    context.fillRect(left, top, width, height);

    context.strokeStyle = colours.grid;
    context.lineWidth = 1;
    const spacing = gridUnits * camera.scale;
    const visible = (from: number, extent: number, most: number) => ({
      first: Math.max(1, Math.ceil(-from / spacing)),
      last: Math.min(Math.ceil(extent / spacing) - 1, Math.floor((most - from) / spacing)),
    });
    const columns = visible(left, width, this.#size.width);
    const rows = visible(top, height, this.#size.height);
    const [upper, lower] = [Math.max(0, top), Math.min(this.#size.height, top + height)];
    const [start, end] = [Math.max(0, left), Math.min(this.#size.width, left + width)];
    for (const strong of [false, true]) {
      context.beginPath();
      for (let i = columns.first; i <= columns.last; i++) {
        if ((i % gridStrongEvery === 0) !== strong) continue;
        const x = Math.round(left + i * spacing) + 0.5;
        context.moveTo(x, upper);
        context.lineTo(x, lower);
      }
      for (let i = rows.first; i <= rows.last; i++) {
        if ((i % gridStrongEvery === 0) !== strong) continue;
        const y = Math.round(top + i * spacing) + 0.5;
        context.moveTo(start, y);
        context.lineTo(end, y);
      }
      context.stroke();
      context.strokeStyle = colours.edge;
      context.globalAlpha = 0.55;
    }
    context.globalAlpha = 1;
    context.strokeRect(Math.round(left) - 0.5, Math.round(top) - 0.5, width + 1, height + 1);
  }

  #drawDiscs(discs: readonly Disc[], camera: Camera, style: Style): void {
    const { context } = this.#surface;
    context.fillStyle = style.colour;
    context.strokeStyle = style.colour;
    context.lineWidth = 1.5;
    context.setLineDash([...style.dash]);
    this.#drawAlike(discs.filter(({ opacity }) => opacity === 1), camera, style, 1);
    for (const disc of discs) {
      if (disc.opacity < 1) this.#drawAlike([disc], camera, style, disc.opacity);
    }
    context.setLineDash([]);
  }

  #drawAlike(discs: readonly Disc[], camera: Camera, style: Style, opacity: number): void {
    const { context } = this.#surface;
    if (discs.length === 0) return;
    const { scale } = camera;
    context.beginPath();
    for (const disc of discs) {
      const [x, y] = [camera.across(disc.x), camera.down(disc.y)];
      const radius = Math.max(1.5, disc.radius * scale);
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, fullTurn);
    }
    if (style.fill > 0) {
      context.globalAlpha = opacity * style.fill;
      context.fill();
    }
    if (style.rim === 0) return;
    if (style.spoke) {
      // A spoke that shows where it is going.
      for (const disc of discs) {
        const speed = Math.hypot(disc.vx, disc.vy);
        if (speed <= 4) continue;
        const [x, y] = [camera.across(disc.x), camera.down(disc.y)];
        const radius = (disc.radius * scale) / speed;
        context.moveTo(x, y);
        context.lineTo(x + disc.vx * radius, y + disc.vy * radius);
      }
    }
    context.globalAlpha = opacity * style.rim;
    context.stroke();
  }

  #drawNames(discs: readonly Disc[], camera: Camera): void {
    const named = discs.filter(({ name }) => name !== "").slice(0, namesMax);
    if (named.length === 0) return;
    this.#beginText(palette().player);
    for (const disc of named) {
      const radius = Math.max(1.5, disc.radius * camera.scale);
      const y = camera.down(disc.y) + radius + 5;
      this.#drawText(disc.name, camera.across(disc.x), y, 0.9 * disc.opacity);
    }
  }

  #beginText(colour: string): void {
    const { context } = this.#surface;
    context.font = labelFont;
    context.textAlign = "center";
    context.textBaseline = "top";
    context.strokeStyle = palette().floor; // legible over whatever is there
    context.fillStyle = colour;
    context.lineWidth = 4;
    context.lineJoin = "round";
  }

  #drawText(text: string, x: number, y: number, opacity: number): void {
    const { context } = this.#surface;
    context.globalAlpha = opacity;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  }

  #drawOwn(own: Disc, camera: Camera, nowMs: number): void {
    const { context } = this.#surface;
    const { x, y } = camera.project(own);
    const radius = Math.max(3, own.radius * camera.scale);
    const breath = 0.5 + 0.5 * Math.sin(nowMs / 450);
    const colour = palette().own;
    context.fillStyle = colour;
    context.strokeStyle = colour;

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

    this.#beginText(palette().text);
    this.#drawText(own.name === "" ? "you" : own.name, x, y + radius + 11, 0.95);
  }

  /** A ribbon over where the player was, that narrows and fades towards its end. */
  #drawTrail(own: Disc | undefined, camera: Camera, nowMs: number): void {
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

    const { context } = this.#surface;
    const fade = context.createLinearGradient(tail.x, tail.y, head.x, head.y);
    fade.addColorStop(0, "transparent");
    fade.addColorStop(1, palette().own);
    context.fillStyle = fade;
    context.globalAlpha = 0.4;
    context.beginPath();
    for (const { x, y } of [...left, ...right]) context.lineTo(x, y);
    context.fill();
  }

  #drawPointer(own: Point, pointer: Point): void {
    const { context } = this.#surface;
    context.strokeStyle = palette().own;
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
    const { context } = this.#surface;
    const progress = Math.min(1, Math.max(0, (nowMs - effect.startedAtMs) / effectMs));
    const eased = 1 - (1 - progress) ** 3;
    const at = camera.project(effect.at);
    const radius = Math.max(2, effect.radius * camera.scale);
    context.strokeStyle = effect.style === "appear" ? palette().bot : palette().fragment;
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
