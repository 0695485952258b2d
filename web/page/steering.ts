// Where the player wants to go, from keys or a held pointer, and when to tell the server: on change,
// at most twenty times a second, the last change never lost.

export interface Direction {
  readonly dx: number;
  readonly dy: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

const still: Direction = { dx: 0, dy: 0 };
const intervalMs = 50;
/** Smaller turns than this are not worth a message. */
const changeMin = 0.02;
/** A pointer this far from the player asks for full speed, in CSS pixels. */
const fullSpeedPixels = 90;
/** On the player itself: stay. */
const stillPixels = 10;

const keyDirections: Readonly<Record<string, Direction>> = {
  ArrowUp: { dx: 0, dy: -1 },
  ArrowDown: { dx: 0, dy: 1 },
  ArrowLeft: { dx: -1, dy: 0 },
  ArrowRight: { dx: 1, dy: 0 },
  KeyW: { dx: 0, dy: -1 },
  KeyS: { dx: 0, dy: 1 },
  KeyA: { dx: -1, dy: 0 },
  KeyD: { dx: 1, dy: 0 },
};

/** Sends a direction that stands until the next. */
export class InputThrottle {
  readonly #send: (direction: Direction) => boolean;
  #sent = still;
  #sentAtMs = -Infinity;

  /** `send` tells whether it could. */
  constructor(send: (direction: Direction) => boolean) {
    this.#send = send;
  }

  /** To be called at display rate; sends when it is time to. */
  offer(wish: Direction, nowMs: number): void {
    const stops = wish.dx === 0 && wish.dy === 0;
    const change = Math.hypot(wish.dx - this.#sent.dx, wish.dy - this.#sent.dy);
    if (change === 0 || (change < changeMin && !stops)) return;
    if (nowMs - this.#sentAtMs < intervalMs || !this.#send(wish)) return;
    this.#sent = wish;
    this.#sentAtMs = nowMs;
  }

  /** What stands on the server. */
  get standing(): Direction {
    return this.#sent;
  }

  /** A new session: the server knows of no wish. */
  reset(): void {
    this.#sent = still;
    this.#sentAtMs = -Infinity;
  }
}

/** The direction from the player to the pointer, slower when near. */
export function towards(player: Point, pointer: Point): Direction {
  const dx = pointer.x - player.x;
  const dy = pointer.y - player.y;
  const pixels = Math.hypot(dx, dy);
  if (pixels < stillPixels) return still;
  const speed = Math.min(1, pixels / fullSpeedPixels);
  return { dx: (dx / pixels) * speed, dy: (dy / pixels) * speed };
}

/** The sum of the keys held, no longer than 1. */
export function keyDirection(held: Iterable<string>): Direction {
  let dx = 0;
  let dy = 0;
  for (const key of held) {
    dx += keyDirections[key]?.dx ?? 0;
    dy += keyDirections[key]?.dy ?? 0;
  }
  dx = Math.max(-1, Math.min(1, dx));
  dy = Math.max(-1, Math.min(1, dy));
  const length = Math.max(1, Math.hypot(dx, dy));
  return { dx: dx / length, dy: dy / length };
}

/** Listens to the window's keys and the canvas's pointer. */
export class Steering {
  readonly #held = new Set<string>();
  #pointer: (Point & { readonly id: number }) | undefined;

  constructor(canvas: HTMLCanvasElement) {
    window.addEventListener("keydown", (event) => {
      if (!(event.code in keyDirections) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target instanceof HTMLInputElement) return; // somebody is writing
      this.#held.add(event.code);
      event.preventDefault(); // the arrows would scroll
    });
    window.addEventListener("keyup", (event) => this.#held.delete(event.code));
    // What is let go of elsewhere is not reported here.
    window.addEventListener("blur", () => this.#release());
    document.addEventListener("visibilitychange", () => this.#release());

    const place = ({ pointerId, offsetX, offsetY }: PointerEvent) => {
      this.#pointer = { id: pointerId, x: offsetX, y: offsetY };
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.#pointer !== undefined) return;
      if (document.activeElement instanceof HTMLInputElement) document.activeElement.blur();
      canvas.setPointerCapture(event.pointerId);
      place(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId === this.#pointer?.id) place(event);
    });
    const lift = (event: PointerEvent) => {
      if (event.pointerId === this.#pointer?.id) this.#pointer = undefined;
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /** Where the pointer is held, in the canvas's CSS pixels. */
  get pointer(): Point | undefined {
    return this.#pointer;
  }

  /** The wish now; `player` is where the player is on the canvas, if there is one. */
  wish(player: Point | undefined): Direction {
    if (this.#held.size > 0) return keyDirection(this.#held);
    if (this.#pointer === undefined || player === undefined) return still;
    return towards(player, this.#pointer);
  }

  #release(): void {
    this.#held.clear();
    this.#pointer = undefined;
  }
}
