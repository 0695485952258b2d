import { create, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { test } from "node:test";
import { StateSchema } from "../client/gen/ringcast/v1/arena_pb";
import { blendStates, lazyState, ObjectKind } from "../page/arena_state";
import { Camera } from "../page/camera";

function state(objects: { id: number; x: number; radius?: number; kind?: ObjectKind }[]) {
  return lazyState(
    toBinary(
      StateSchema,
      create(StateSchema, {
        width: 1600,
        height: 900,
        members: 2,
        objects: objects.map(({ id, x, radius = 10, kind = ObjectKind.BOT }) => ({
          id,
          x,
          y: 2 * x,
          vxTenths: -15,
          state: kind | ((radius * 10) << 3),
        })),
      }),
    ),
  );
}

test("a state is decoded to units", () => {
  const decoded = state([{ id: 3, x: 5, radius: 12.5, kind: ObjectKind.PLAYER }])();
  assert.equal(decoded.width, 1600);
  assert.equal(decoded.members, 2);
  assert.deepEqual(decoded.objects.get(3), {
    id: 3,
    kind: ObjectKind.PLAYER,
    x: 5,
    y: 10,
    radius: 12.5,
    vx: -1.5,
    vy: 0,
  });
});

test("a state is decoded once", () => {
  const lazy = state([{ id: 1, x: 0 }]);
  assert.equal(lazy(), lazy());
});

test("objects are shown between their places, new ones fade in, gone ones are gone", () => {
  const shown = blendStates({
    from: state([
      { id: 1, x: 100, radius: 10 },
      { id: 2, x: 7 },
    ]),
    to: state([
      { id: 1, x: 200, radius: 20 },
      { id: 3, x: 50 },
    ]),
    alpha: 0.25,
    starved: false,
  });
  assert.deepEqual(
    shown.map(({ object, x, y, radius, opacity }) => [object.id, x, y, radius, opacity]),
    [
      [1, 125, 250, 12.5, 1],
      [3, 50, 100, 10, 0.25],
    ],
  );
});

const arena = { width: 1600, height: 900 };

test("a camera shows the whole arena where it fits", () => {
  const camera = new Camera();
  camera.update(arena, { width: 1656, height: 1000 }, { x: 10, y: 10 }, 0);
  assert.equal(camera.scale, 1);
  assert.deepEqual(camera.project({ x: 0, y: 0 }), { x: 28, y: 50 });
  assert.deepEqual(camera.project({ x: 1600, y: 900 }), { x: 1628, y: 950 });
});

test("on a small screen it follows the player and stops at the edges", () => {
  const view = { width: 390, height: 600 };
  const camera = new Camera();
  camera.update(arena, view, { x: 800, y: 450 }, 0);
  assert.equal(camera.project({ x: 800, y: 450 }).x, view.width / 2);
  for (let t = 0; t < 10_000; t += 16) camera.update(arena, view, { x: 0, y: 450 }, t);
  const edge = camera.project({ x: 0, y: 450 }).x;
  assert.ok(Math.abs(edge - 28) < 0.5, `the edge is at ${edge}`);
});
