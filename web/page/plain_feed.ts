// Scenes of a room that sends everything to everyone: states, of which two are mixed for a display
// frame, and events, which tell whose object is whose.
import { InterpolationBuffer, type Blend, type RoomEvent, type Snapshot } from "../client";
import { arenaObject, decodeEvent, decodeState, type ArenaObject, type ArenaState } from "./arena_state";
import type { Disc, Feed, Mark, Scene, WorldMap } from "./scene";

/** Decodes on first use, once: what arrives while the page is hidden is never looked at. */
type LazyState = () => ArenaState;

const mapColumns = 32;
const mapRows = 18;

export class PlainFeed implements Feed {
  readonly desyncs = undefined;
  readonly #ownMember: number;
  readonly #mark: (mark: Mark) => void;
  readonly #buffer = new InterpolationBuffer<LazyState>();
  #newest: LazyState | undefined;
  #ownObject: number | undefined;

  /** `mark` is told what begins and ends. */
  constructor(ownMember: number, mark: (mark: Mark) => void) {
    this.#ownMember = ownMember;
    this.#mark = mark;
  }

  /** Throws a NotAnArena where it is none, which the first shows. */
  takeSnapshot({ payload, serverTimeMs, receivedAtMs }: Snapshot): void {
    const state = lazyState(payload);
    if (this.#newest === undefined) state();
    this.#newest = state;
    this.#buffer.push(serverTimeMs, receivedAtMs, state);
  }

  /** Throws a NotAnArena likewise. */
  takeEvent({ payload }: RoomEvent): void {
    const event = decodeEvent(payload);
    if (event.case === "created" && event.value.object !== undefined) {
      const object = arenaObject(event.value.object);
      if (event.value.memberId === this.#ownMember) this.#ownObject = object.id;
      this.#mark({ style: "appear", at: object, into: object, radius: object.radius });
    } else if (event.case === "deleted") {
      const { id, absorbedBy } = event.value;
      if (id === this.#ownObject) this.#ownObject = undefined;
      const objects = this.#newest?.().objects;
      const gone = objects?.get(id);
      if (gone === undefined) return;
      const into = objects?.get(absorbedBy);
      const style = into === undefined ? "burst" : "absorb";
      this.#mark({ style, at: gone, into: into ?? gone, radius: gone.radius });
    }
  }

  /** A new session that has missed no event: states begin anew, what events have told holds. */
  resume(): void {
    this.#buffer.clear();
  }

  get members(): number | undefined {
    return this.#newest?.().members;
  }
  get watches(): boolean {
    return this.#newest !== undefined && this.#ownObject === undefined;
  }

  shownServerTimeMs(nowMs: number): number | undefined {
    return this.#buffer.shownServerTimeMs(nowMs);
  }

  scene(nowMs: number): Scene | undefined {
    const blend = this.#buffer.sample(nowMs);
    if (blend === undefined) return undefined;
    const discs = blendStates(blend, this.#ownObject);
    return { arena: blend.to(), discs, own: discs.find(({ own }) => own) };
  }

  map(): WorldMap | undefined {
    const state = this.#newest?.();
    if (state === undefined) return undefined;
    const counts = new Uint32Array(mapColumns * mapRows);
    const field = (at: number, extent: number, fields: number) =>
      Math.min(fields - 1, Math.max(0, Math.floor((at / extent) * fields)));
    for (const { x, y } of state.objects.values()) {
      const row = field(y, state.height, mapRows);
      counts[row * mapColumns + field(x, state.width, mapColumns)]! += 1;
    }
    return { columns: mapColumns, rows: mapRows, counts, partial: false };
  }
}

export function lazyState(payload: Uint8Array): LazyState {
  let state: ArenaState | undefined;
  return () => (state ??= decodeState(payload));
}

/** The later state's objects at their places between the two; one that is new fades in. */
export function blendStates({ from, to, alpha }: Blend<LazyState>, own: number | undefined): Disc[] {
  const before = from().objects;
  const discs: Disc[] = [];
  for (const object of to().objects.values()) {
    const earlier: ArenaObject = before.get(object.id) ?? object;
    discs.push({
      ...object,
      own: object.id === own,
      name: "",
      score: undefined,
      x: mix(earlier.x, object.x, alpha),
      y: mix(earlier.y, object.y, alpha),
      radius: mix(earlier.radius, object.radius, alpha),
      opacity: earlier === object && from !== to ? alpha : 1,
    });
  }
  return discs;
}

function mix(a: number, b: number, alpha: number): number {
  return a + (b - a) * alpha;
}
