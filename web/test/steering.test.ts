import assert from "node:assert/strict";
import { test } from "node:test";
import { InputThrottle, keyDirection, towards, type Direction } from "../page/steering";

function recorder() {
  const sent: Direction[] = [];
  const state = { open: true };
  const throttle = new InputThrottle((direction) => {
    if (state.open) sent.push(direction);
    return state.open;
  });
  return { sent, state, throttle };
}

const right = { dx: 1, dy: 0 };
const down = { dx: 0, dy: 1 };
const still = { dx: 0, dy: 0 };

test("a change is sent at once, and only once", () => {
  const { sent, throttle } = recorder();
  for (let t = 0; t < 500; t += 16) throttle.offer(right, t);
  assert.deepEqual(sent, [right]);
});

test("standing still from the start is not worth a message", () => {
  const { sent, throttle } = recorder();
  throttle.offer(still, 0);
  assert.deepEqual(sent, []);
});

test("at most twenty are sent a second, however it turns", () => {
  const { sent, throttle } = recorder();
  for (let t = 0; t < 1_000; t += 8) throttle.offer({ dx: Math.cos(t), dy: Math.sin(t) }, t);
  assert.ok(sent.length <= 20 && sent.length >= 17, `${sent.length}`);
});

test("the last change is sent, if later", () => {
  const { sent, throttle } = recorder();
  throttle.offer(right, 0);
  for (let t = 10; t < 100; t += 10) throttle.offer(down, t);
  assert.deepEqual(sent, [right, down]);
});

test("a turn too small to matter is not sent, a stop always is", () => {
  const { sent, throttle } = recorder();
  const slow = { dx: 0.015, dy: 0 };
  throttle.offer(right, 0);
  throttle.offer({ dx: 0.99, dy: 0 }, 100);
  throttle.offer({ dx: 0.03, dy: 0 }, 200);
  throttle.offer(slow, 300);
  throttle.offer(still, 400);
  assert.deepEqual(sent, [right, { dx: 0.03, dy: 0 }, still]);
});

test("what could not be sent is sent when it can be", () => {
  const { sent, state, throttle } = recorder();
  state.open = false;
  throttle.offer(right, 0);
  state.open = true;
  throttle.offer(right, 16);
  assert.deepEqual(sent, [right]);
  throttle.reset();
  throttle.offer(right, 32);
  assert.deepEqual(sent, [right, right]);
});

test("keys add up to a direction no longer than 1", () => {
  assert.deepEqual(keyDirection(["KeyD"]), right);
  assert.deepEqual(keyDirection(["KeyD", "ArrowRight"]), right);
  assert.deepEqual(keyDirection(["KeyA", "KeyD"]), still);
  const diagonal = keyDirection(["ArrowDown", "ArrowRight"]);
  assert.ok(Math.abs(Math.hypot(diagonal.dx, diagonal.dy) - 1) < 1e-9);
  assert.deepEqual(keyDirection(["KeyQ"]), still);
});

test("the pointer pulls, less when near, not at all from the player itself", () => {
  const player = { x: 100, y: 100 };
  assert.deepEqual(towards(player, { x: 400, y: 100 }), right);
  assert.deepEqual(towards(player, { x: 100, y: 145 }), { dx: 0, dy: 0.5 });
  assert.deepEqual(towards(player, { x: 104, y: 103 }), still);
});
