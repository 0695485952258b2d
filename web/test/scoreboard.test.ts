import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestBody, type Disc } from "../page/scene";
import { bestOf } from "../page/scoreboard";

function disc(fields: Partial<Disc>): Disc {
  return {
    id: 1,
    kind: "bot",
    own: false,
    away: false,
    name: "",
    score: 0,
    x: 0,
    y: 0,
    radius: 10,
    vx: 0,
    vy: 0,
    opacity: 1,
    ...fields,
  };
}

test("the best in view come first, by name where they have one", () => {
  const lines = bestOf([
    disc({ id: 4, score: 2 }),
    disc({ id: 5, score: 9, kind: "player", name: "Ada" }),
    disc({ id: 6, score: 3, kind: "player", own: true }),
    disc({ id: 7, kind: "fragment", score: undefined }),
    disc({ id: 8, score: 0 }),
    disc({ id: 3, score: 2 }),
  ]);
  assert.deepEqual(lines, [
    { label: "Ada", score: 9, kind: "player" },
    { label: "you", score: 3, kind: "own" },
    { label: "bot 3", score: 2, kind: "bot" },
    { label: "bot 4", score: 2, kind: "bot" },
  ]);
});

test("no more than six are listed, and none where no scores are told", () => {
  assert.equal(bestOf(Array.from({ length: 20 }, (_, id) => disc({ id, score: 1 }))).length, 6);
  assert.deepEqual(bestOf([disc({ score: undefined })]), []);
});

test("a fragment was absorbed by the body that it was next to", () => {
  const near = disc({ id: 1, x: 30, radius: 15 });
  const far = disc({ id: 2, x: 100, radius: 20 });
  const fragment = disc({ id: 3, x: 1, kind: "fragment" });
  assert.equal(nearestBody([far, fragment, near], { x: 0, y: 0 }, 24), near);
  assert.equal(nearestBody([far, fragment], { x: 0, y: 0 }, 24), undefined);
});
