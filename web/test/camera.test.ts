import assert from "node:assert/strict";
import { test } from "node:test";
import { Camera } from "../page/camera";

const small = { width: 1600, height: 900 };
const large = { width: 20_000, height: 11_250 };
const desktop = { width: 1292, height: 850 };

function settled(arena: typeof large, view: typeof large, player: { x: number; y: number }): Camera {
  const camera = new Camera();
  camera.update(arena, view, player, 0);
  return camera;
}

test("an arena that fits is shown whole", () => {
  const camera = settled(small, { width: 1656, height: 1000 }, { x: 10, y: 10 });
  assert.equal(camera.scale, 1);
  assert.equal(camera.showsAll, true);
  assert.deepEqual(camera.project({ x: 0, y: 0 }), { x: 28, y: 50 });
  assert.deepEqual(camera.project({ x: 1600, y: 900 }), { x: 1628, y: 950 });
});

test("in a large arena the player is in the middle of the screen", () => {
  const camera = settled(large, desktop, { x: 8_000, y: 5_000 });
  assert.equal(camera.showsAll, false);
  assert.deepEqual(camera.project({ x: 8_000, y: 5_000 }), { x: 646, y: 425 });
});

test("it follows the player, and stops at the edges", () => {
  const view = { width: 390, height: 600 };
  const camera = settled(large, view, { x: 800, y: 5_000 });
  assert.equal(camera.across(800), view.width / 2);
  for (let t = 0; t < 10_000; t += 16) camera.update(large, view, { x: 0, y: 5_000 }, t);
  assert.ok(Math.abs(camera.across(0) - 28) < 0.5, `the edge is at ${camera.across(0)}`);
});

test("it is on the way to a player that moves, and at once where one is far away", () => {
  const camera = settled(large, desktop, { x: 8_000, y: 5_000 });
  camera.update(large, desktop, { x: 8_100, y: 5_000 }, 100);
  assert.ok(camera.centre.x > 8_000 && camera.centre.x < 8_100);
  camera.update(large, desktop, { x: 15_000, y: 5_000 }, 200);
  assert.equal(camera.centre.x, 15_000);
});

test("a clock that was set back does not throw it off", () => {
  const camera = settled(large, desktop, { x: 8_000, y: 5_000 });
  camera.update(large, desktop, { x: 8_100, y: 5_000 }, 5_000);
  camera.update(large, desktop, { x: 8_100, y: 5_000 }, 1_000);
  assert.ok(camera.centre.x >= 8_000 && camera.centre.x <= 8_100);
});

test("without a player it looks at the middle", () => {
  const camera = new Camera();
  camera.update(large, desktop, undefined, 0);
  assert.deepEqual(camera.centre, { x: 10_000, y: 5_625 });
});

test("no screen shows more than a room tells of, with room to spare around it", () => {
  for (const [width, height] of [
    [320, 420],
    [390, 620],
    [620, 330],
    [1292, 850],
    [2252, 1300],
    [3132, 1340],
    [400, 3000],
  ] as const) {
    const camera = settled(large, { width, height }, { x: 8_000, y: 5_000 });
    const { wanted, shown } = camera;
    assert.ok(wanted.width > shown.width && wanted.height > shown.height);
    assert.ok(Math.max(wanted.width, wanted.height) <= 1_601, `${width}x${height}`);
    assert.ok(wanted.width * wanted.height <= 1.02 * 1_600 * 900, `${width}x${height}`);
    assert.ok(camera.scale >= 0.6);
  }
});
