import assert from "node:assert/strict";
import { test } from "node:test";
import { ClockSync } from "../client";

test("knows nothing before the first exchange", () => {
  const clock = new ClockSync();
  assert.equal(clock.serverTimeMs(5), undefined);
  assert.equal(clock.roundTripMs, undefined);
});

test("places the server's answer in the middle of the round trip", () => {
  const clock = new ClockSync();
  clock.answered(100, 10_000, 140);
  assert.equal(clock.serverTimeMs(120), 10_000);
  assert.equal(clock.roundTripMs, 40);
});

test("believes the exchange with the shortest round trip", () => {
  const clock = new ClockSync();
  clock.answered(0, 1_005, 10); // offset 1,000
  clock.answered(100, 1_190, 300); // disturbed: offset 990
  assert.equal(clock.serverTimeMs(0), 1_000);
  clock.answered(400, 1_403, 404); // better: offset 1,001
  assert.equal(clock.serverTimeMs(0), 1_001);
});

test("forgets the best exchange in time, since clocks drift", () => {
  const clock = new ClockSync(3);
  clock.answered(0, 1_001, 2);
  for (let i = 1; i <= 3; i++) clock.answered(i * 100, i * 100 + 2_005, i * 100 + 10);
  assert.equal(clock.serverTimeMs(0), 2_000);
});

test("ignores an answer from before its question", () => {
  const clock = new ClockSync();
  clock.answered(100, 1_000, 99);
  clock.answered(Number.NaN, 1_000, 99);
  assert.equal(clock.roundTripMs, undefined);
});
