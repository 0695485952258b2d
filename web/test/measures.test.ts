import assert from "node:assert/strict";
import { test } from "node:test";
import { PeakHistory, SlidingWindow } from "../page/measures";

test("quantiles are those of the samples in the window", () => {
  const window = new SlidingWindow(100);
  for (let i = 0; i < 200; i++) window.add(i, i);
  assert.equal(window.quantile(0, 199), 100);
  assert.equal(window.quantile(0.5, 199), 150);
  assert.equal(window.quantile(0.99, 199), 199);
  assert.equal(window.quantile(1, 199), 199);
  assert.equal(window.quantile(0.5, 1_000), undefined);
});

test("a rate is what came in the window, per second", () => {
  const window = new SlidingWindow(1_000);
  for (let t = 0; t < 5_000; t += 10) window.add(t, 3);
  assert.ok(Math.abs(window.perSecond(5_000) - 300) < 5);
  assert.equal(window.perSecond(10_000), 0);
});

test("a rate is right before the window has filled", () => {
  const window = new SlidingWindow(2_000);
  for (let t = 0; t < 1_000; t += 10) window.add(t, 1);
  assert.ok(Math.abs(window.perSecond(1_000) - 100) < 2);
});

test("what nobody reads does not pile up", () => {
  const window = new SlidingWindow(100);
  for (let i = 0; i < 100_000; i++) window.add(i, 1);
  assert.ok(Math.abs(window.perSecond(100_000) - 1_000) < 20);
});

test("a history has the peak of each slot, oldest first, and gaps where nothing came", () => {
  const history = new PeakHistory(100, 4);
  history.add(10, 1);
  history.add(110, 2);
  history.add(120, 9);
  history.add(130, 3);
  history.add(310, 4);
  history.add(410, 99); // of the slot that is still filling
  assert.deepEqual(history.read(450), [1, 9, undefined, 4]);
  assert.deepEqual(history.read(650), [undefined, 4, 99, undefined]);
});
