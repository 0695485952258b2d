// Discs that wander, grow by absorbing fragments, and are steered by members: what the page needs
// to have something to show.
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ArenaEventSchema,
  ArenaInputSchema,
  ObjectKind,
  StateSchema,
  type ObjectSchema,
} from "../client/gen/ringcast/v1/arena_pb";

const width = 1600;
const height = 900;
const speed = 220;

interface Disc {
  readonly id: number;
  readonly kind: ObjectKind;
  readonly memberId: number;
  x: number;
  y: number;
  vx: number;
  vy: number;
  radius: number;
}

export class MockArena {
  #discs: Disc[] = [];
  #idsSoFar = 0;
  #events: Uint8Array[] = [];

  constructor(bots: number) {
    for (let i = 0; i < bots; i++) this.#create(ObjectKind.BOT, 0);
    for (let i = 0; i < bots / 2; i++) this.#create(ObjectKind.FRAGMENT, 0);
  }

  join(memberId: number): void {
    this.#create(ObjectKind.PLAYER, memberId);
  }

  leave(memberId: number): void {
    for (const disc of this.#discs) if (disc.memberId === memberId) this.#delete(disc, 0);
    this.#emit({ case: "sessionEnded", value: { memberId } });
  }

  /** Throws when the payload is not an ArenaInput. */
  input(memberId: number, payload: Uint8Array): void {
    const { dx, dy } = fromBinary(ArenaInputSchema, payload);
    const length = Math.max(1, Math.hypot(dx, dy));
    for (const disc of this.#discs) {
      if (disc.memberId !== memberId) continue;
      disc.vx = (dx / length) * speed;
      disc.vy = (dy / length) * speed;
    }
  }

  step(seconds: number): void {
    for (const disc of this.#discs) {
      disc.x += disc.vx * seconds;
      disc.y += disc.vy * seconds;
      if (disc.x < disc.radius || disc.x > width - disc.radius) disc.vx = -disc.vx;
      if (disc.y < disc.radius || disc.y > height - disc.radius) disc.vy = -disc.vy;
      disc.x = Math.min(width - disc.radius, Math.max(disc.radius, disc.x));
      disc.y = Math.min(height - disc.radius, Math.max(disc.radius, disc.y));
    }
    this.#absorb();
  }

  takeEvents(): Uint8Array[] {
    return this.#events.splice(0);
  }

  state(members: number): Uint8Array {
    const objects = this.#discs.map(replicated);
    return toBinary(StateSchema, create(StateSchema, { width, height, members, objects }));
  }

  #absorb(): void {
    const fragments = this.#discs.filter((disc) => disc.kind === ObjectKind.FRAGMENT);
    for (const fragment of fragments) {
      const eater = this.#discs.find(
        (disc) =>
          disc.kind !== ObjectKind.FRAGMENT &&
          Math.hypot(disc.x - fragment.x, disc.y - fragment.y) < disc.radius,
      );
      if (eater === undefined) continue;
      eater.radius = Math.min(34, eater.radius + 0.4);
      this.#delete(fragment, eater.id);
      this.#create(ObjectKind.FRAGMENT, 0);
    }
  }

  #create(kind: ObjectKind, memberId: number): void {
    const angle = Math.random() * 2 * Math.PI;
    const drift = { [ObjectKind.BOT]: 90, [ObjectKind.FRAGMENT]: 12 }[kind as number] ?? 0;
    const radius =
      { [ObjectKind.PLAYER]: 18, [ObjectKind.FRAGMENT]: 4 }[kind as number] ??
      9 + Math.random() * 10;
    const disc = {
      id: ++this.#idsSoFar,
      kind,
      memberId,
      x: width * (0.05 + 0.9 * Math.random()),
      y: height * (0.05 + 0.9 * Math.random()),
      vx: Math.cos(angle) * drift,
      vy: Math.sin(angle) * drift,
      radius,
    };
    this.#discs.push(disc);
    this.#emit({ case: "created", value: { object: replicated(disc), memberId } });
  }

  #delete(disc: Disc, absorbedBy: number): void {
    this.#discs = this.#discs.filter((other) => other !== disc);
    this.#emit({ case: "deleted", value: { id: disc.id, absorbedBy } });
  }

  #emit(event: NonNullable<MessageInitShape<typeof ArenaEventSchema>["event"]>): void {
    this.#events.push(toBinary(ArenaEventSchema, create(ArenaEventSchema, { event })));
  }
}

function replicated(disc: Disc): MessageInitShape<typeof ObjectSchema> {
  return {
    id: disc.id,
    x: disc.x,
    y: disc.y,
    vxTenths: Math.round(disc.vx * 10),
    vyTenths: Math.round(disc.vy * 10),
    state: disc.kind | (Math.round(disc.radius * 10) << 3),
  };
}
