import assert from "node:assert/strict";
import { test } from "node:test";
import { frameOn, shades } from "../page/map_shapes";

const size = { width: 160, height: 90 };
const arena = { width: 16_000, height: 9_000 };

test("the frame is what the screen shows, to the map's scale", () => {
  const shown = { width: 1_600, height: 900 };
  assert.deepEqual(frameOn(size, arena, { x: 8_000, y: 4_500 }, shown), {
    x: 72,
    y: 40.5,
    width: 16,
    height: 9,
  });
});

test("the frame is cut at the map's edges", () => {
  const shown = { width: 2_000, height: 1_000 };
  assert.deepEqual(frameOn(size, arena, { x: 0, y: 9_000 }, shown), {
    x: 0,
    y: 85,
    width: 10,
    height: 5,
  });
  const all = { width: 99_000, height: 99_000 };
  assert.deepEqual(frameOn(size, arena, { x: 8_000, y: 4_500 }, all), { x: 0, y: 0, ...size });
});

test("the most crowded field is the darkest, an empty one has no shade, a few are seen", () => {
  const map = { columns: 2, rows: 2, counts: [0, 1, 25, 100], partial: false };
  const found = [...shades(map)].map((shade) => Math.round(100 * shade));
  assert.deepEqual(found, [0, 10, 50, 100]);
  assert.deepEqual([...shades({ columns: 1, rows: 1, counts: [0], partial: true })], [0]);
});
