import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ArenaEventSchema,
  ArenaInputSchema,
  ObjectKind,
  StateSchema,
} from "../client/gen/ringcast/v1/arena_pb";
import { decodeState, encodeInput } from "../page/arena_state";
import { blendStates, lazyState, PlainFeed } from "../page/plain_feed";
import { NotAnArena, totalOf, type Mark } from "../page/scene";

interface Sketch {
  id: number;
  x: number;
  radius?: number;
  kind?: ObjectKind;
}

function payload(objects: Sketch[]): Uint8Array {
  return toBinary(
    StateSchema,
    create(StateSchema, { width: 1600, height: 900, members: 2, objects: objects.map(object) }),
  );
}

function object({ id, x, radius = 10, kind = ObjectKind.BOT }: Sketch) {
  return { id, x, y: 2 * x, vxTenths: -15, state: kind | ((radius * 10) << 3) };
}

function snapshot(tick: number, bytes: Uint8Array) {
  const atMs = tick * 20;
  return {
    tick,
    serverTimeMs: atMs,
    receivedAtMs: atMs,
    ageMs: undefined,
    stream: 0,
    full: false,
    ticksSkipped: 0,
    payload: bytes,
  };
}

type EventInit = Parameters<typeof create<typeof ArenaEventSchema>>[1];

function event(init: EventInit) {
  return { sequence: 1, tick: 1, payload: toBinary(ArenaEventSchema, create(ArenaEventSchema, init)) };
}

test("a state is decoded to units", () => {
  const decoded = decodeState(payload([{ id: 3, x: 5, radius: 12.5, kind: ObjectKind.PLAYER_AWAY }]));
  assert.equal(decoded.width, 1600);
  assert.equal(decoded.members, 2);
  assert.deepEqual(decoded.objects.get(3), {
    id: 3,
    kind: "player",
    away: true,
    x: 5,
    y: 10,
    radius: 12.5,
    vx: -1.5,
    vy: 0,
  });
});

test("a state is decoded once", () => {
  const lazy = lazyState(payload([{ id: 1, x: 0 }]));
  assert.equal(lazy(), lazy());
});

test("an input says a direction, and a name and a view where they are new", () => {
  const decode = (bytes: Uint8Array) => fromBinary(ArenaInputSchema, bytes);
  assert.equal(decode(encodeInput({ dx: 1, dy: 0 })).name, undefined);
  assert.equal(encodeInput({ dx: 1, dy: 0 }).length, 5);
  const told = decode(encodeInput({ dx: 0, dy: -1, name: "Zoë", view: { width: 800, height: 600 } }));
  assert.deepEqual([told.dy, told.viewWidth, told.viewHeight], [-1, 800, 600]);
  assert.equal(new TextDecoder().decode(told.name), "Zoë");
  assert.equal(decode(encodeInput({ dx: 0, dy: 0, name: "" })).name?.length, 0);
});

test("objects are shown between their places, new ones fade in, gone ones are gone", () => {
  const shown = blendStates(
    {
      from: lazyState(
        payload([
          { id: 1, x: 100, radius: 10 },
          { id: 2, x: 7 },
        ]),
      ),
      to: lazyState(
        payload([
          { id: 1, x: 200, radius: 20 },
          { id: 3, x: 50 },
        ]),
      ),
      alpha: 0.25,
      starved: false,
    },
    3,
  );
  assert.deepEqual(
    shown.map(({ id, x, y, radius, opacity, own }) => [id, x, y, radius, opacity, own]),
    [
      [1, 125, 250, 12.5, 1, false],
      [3, 50, 100, 10, 0.25, true],
    ],
  );
});

test("a plain room's scene has the member's own disc, and its map counts all", () => {
  const feed = new PlainFeed(7, () => {});
  assert.equal(feed.scene(0), undefined);
  assert.equal(feed.map(), undefined);
  feed.takeSnapshot(snapshot(1, payload([{ id: 1, x: 10 }])));
  assert.equal(feed.watches, true);
  const own = { id: 9, x: 400, kind: ObjectKind.PLAYER };
  feed.takeEvent(event({ event: { case: "created", value: { object: object(own), memberId: 7 } } }));
  feed.takeSnapshot(snapshot(2, payload([{ id: 1, x: 10 }, own])));
  const scene = feed.scene(60)!;
  assert.deepEqual(scene.arena.width, 1600);
  assert.equal(scene.own?.id, 9);
  assert.equal(feed.watches, false);
  assert.equal(feed.members, 2);
  const map = feed.map()!;
  assert.equal(totalOf(map), 2);
  assert.equal(map.counts[0], 1);
  assert.equal(map.counts[16 * map.columns + 8], 1);
});

test("what ends in a plain room leaves a mark, towards what absorbed it", () => {
  const marks: Mark[] = [];
  const feed = new PlainFeed(7, (mark) => marks.push(mark));
  feed.takeSnapshot(snapshot(1, payload([{ id: 1, x: 10 }, { id: 2, x: 20 }, { id: 3, x: 30 }])));
  feed.takeEvent(event({ event: { case: "deleted", value: { id: 1, absorbedBy: 2 } } }));
  feed.takeEvent(event({ event: { case: "deleted", value: { id: 3 } } }));
  feed.takeEvent(event({ event: { case: "deleted", value: { id: 4 } } }));
  assert.deepEqual(
    marks.map(({ style, at, into }) => [style, at.x, into.x]),
    [
      ["absorb", 10, 20],
      ["burst", 30, 30],
    ],
  );
});

test("what is no arena is told by the first snapshot or event", () => {
  const garbage = Uint8Array.of(0x0a, 0xff);
  assert.throws(() => new PlainFeed(7, () => {}).takeSnapshot(snapshot(1, garbage)), NotAnArena);
  assert.throws(() => new PlainFeed(7, () => {}).takeSnapshot(snapshot(1, new Uint8Array())), NotAnArena);
  const feed = new PlainFeed(7, () => {});
  assert.throws(() => feed.takeEvent({ sequence: 1, tick: 1, payload: garbage }), NotAnArena);
});
