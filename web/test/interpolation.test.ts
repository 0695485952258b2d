import assert from "node:assert/strict";
import { test } from "node:test";
import { InterpolationBuffer } from "../client";

const periodMs = 20;

/** Snapshots whose payload is their own server time; returns the local time of the last arrival. */
function feed(
  buffer: InterpolationBuffer<number>,
  options: {
    count: number;
    first?: number;
    transitMs: (index: number) => number;
    sampleEachMs?: number;
  },
) {
  let arrivedMs = 0;
  const first = options.first ?? 0;
  for (let i = first; i < first + options.count; i++) {
    const before = arrivedMs;
    arrivedMs = i * periodMs + options.transitMs(i);
    if (options.sampleEachMs !== undefined && before > 0) {
      for (let t = before; t < arrivedMs; t += options.sampleEachMs) buffer.sample(t);
    }
    buffer.push(i * periodMs, arrivedMs, i * periodMs);
  }
  return arrivedMs;
}

const shown = (buffer: InterpolationBuffer<number>, nowMs: number) => {
  const blend = buffer.sample(nowMs);
  assert.ok(blend !== undefined);
  return blend.from + (blend.to - blend.from) * blend.alpha;
};

test("has nothing to show at first", () => {
  assert.equal(new InterpolationBuffer<number>().sample(0), undefined);
});

test("holds a lone snapshot", () => {
  const buffer = new InterpolationBuffer<number>();
  buffer.push(100, 7, 100);
  assert.deepEqual(buffer.sample(9), { from: 100, to: 100, alpha: 1, starved: false });
});

test("on a steady path shows the past by one period and the transit, without a step", () => {
  const buffer = new InterpolationBuffer<number>();
  const lastMs = feed(buffer, { count: 10, transitMs: () => 1_005 });
  // Just before the next arrival the newest is reached, and nothing was ever held.
  for (let elapsedMs = 0; elapsedMs < periodMs; elapsedMs++) {
    assert.equal(shown(buffer, lastMs + elapsedMs), 8 * periodMs + elapsedMs);
    assert.equal(buffer.sample(lastMs + elapsedMs)?.starved, false);
  }
});

test("holds the newest when the next is overdue, and says so", () => {
  const buffer = new InterpolationBuffer<number>();
  const lastMs = feed(buffer, { count: 10, transitMs: () => 5 });
  const blend = buffer.sample(lastMs + 3 * periodMs);
  assert.deepEqual(blend, { from: 160, to: 180, alpha: 1, starved: true });
});

test("adapts to jitter until what arrives late is still in time", () => {
  const buffer = new InterpolationBuffer<number>();
  const jitter = (index: number) => 5 + (index % 4 === 0 ? 15 : 0);
  const adaptedMs = feed(buffer, { count: 200, transitMs: jitter, sampleEachMs: 4 });
  assert.ok(adaptedMs > 0);
  for (let i = 200; i < 240; i++) {
    const untilMs = i * periodMs + jitter(i);
    for (let t = untilMs - 4; t < untilMs; t++) {
      assert.equal(buffer.sample(t)?.starved, false, `starved before snapshot ${i}`);
    }
    buffer.push(i * periodMs, untilMs, i * periodMs);
  }
});

test("a stall now and then is held through rather than waited for", () => {
  const buffer = new InterpolationBuffer<number>();
  let arrivedMs = 0;
  for (let i = 0; i < 200; i++) {
    // What a stall of 400 ms held back arrives all at once.
    arrivedMs = Math.max(arrivedMs, i * periodMs + (i % 40 === 0 ? 400 : 5));
    buffer.push(i * periodMs, arrivedMs, i * periodMs);
  }
  buffer.sample(arrivedMs);
  const leastMs = periodMs + 5;
  assert.equal(arrivedMs - buffer.shownServerTimeMs(arrivedMs)!, leastMs + 150);
});

test("spaced snapshots are shown further in the past, so that motion stays even", () => {
  const buffer = new InterpolationBuffer<number>();
  for (let i = 0; i < 20; i++) buffer.push(i * 100, i * 100 + 5, i * 100);
  assert.equal(shown(buffer, 1_955), 1_850);
  assert.equal(buffer.shownServerTimeMs(1_955), 1_850);
});

test("while it adapts the shown time neither stops, nor jumps, nor goes back", () => {
  const buffer = new InterpolationBuffer<number>();
  const transitMs = (index: number) => (index < 50 || index >= 150 ? 5 : 45);
  const stepMs = 4;
  let pushed = 0;
  let beforeMs: number | undefined;
  for (let t = 0; t < 300 * periodMs; t += stepMs) {
    for (; pushed * periodMs + transitMs(pushed) <= t; pushed++) {
      buffer.push(pushed * periodMs, t, 0);
    }
    buffer.sample(t);
    const nowMs = buffer.shownServerTimeMs(t);
    if (beforeMs !== undefined && nowMs !== undefined) {
      const ranMs = nowMs - beforeMs;
      assert.ok(ranMs >= 0.85 * stepMs && ranMs <= 1.05 * stepMs, `${ranMs} of ${stepMs} at ${t}`);
    }
    beforeMs = nowMs;
  }
});

for (const [direction, setMs] of [
  ["ahead", 3_600_000],
  ["back", -3_600_000],
] as const) {
  test(`goes on when the server's clock was set ${direction}`, () => {
    const buffer = new InterpolationBuffer<number>();
    const lastMs = feed(buffer, { count: 10, transitMs: () => 5, sampleEachMs: 4 });
    const count = 600;
    for (let i = 1; i <= count; i++) {
      const receivedMs = lastMs + i * periodMs;
      buffer.push(receivedMs - 5 + setMs, receivedMs, receivedMs - 5 + setMs);
      buffer.sample(receivedMs);
    }
    const nowMs = lastMs + count * periodMs;
    assert.ok(Math.abs(shown(buffer, nowMs) - (nowMs + setMs - periodMs - 5)) < 1);
  });
}

test("a snapshot of the same moment replaces, an older one is dropped", () => {
  const buffer = new InterpolationBuffer<string>();
  buffer.push(20, 25, "first");
  buffer.push(20, 26, "second");
  buffer.push(0, 27, "old");
  assert.equal(buffer.sample(30)?.to, "second");
});

test("holds a bounded number while nobody looks", () => {
  const buffer = new InterpolationBuffer<number>();
  feed(buffer, { count: 100_000, transitMs: () => 5 });
  assert.ok(buffer.sample(0)!.from >= (100_000 - 128) * periodMs);
});

test("clear forgets all, the delay too", () => {
  const buffer = new InterpolationBuffer<number>();
  feed(buffer, { count: 10, transitMs: () => 5 });
  buffer.sample(200);
  buffer.clear();
  assert.equal(buffer.sample(201), undefined);
  assert.equal(buffer.shownServerTimeMs(201), undefined);
});

test("ticks that come two, three or four at a time are shown one after the other, evenly", () => {
  const tickMs = 1000 / 60;
  for (let together = 2; together <= 4; together++) {
    const buffer = new InterpolationBuffer<number>();
    let nowMs = 0;
    let before: number | undefined;
    for (let tick = together; tick < 60 * together; tick += together) {
      // The last of them is on its way for 20 ms.
      const arrivedMs = tick * tickMs + 20;
      for (let one = tick - together + 1; one <= tick; one++) {
        buffer.push(one * tickMs, arrivedMs, one);
      }
      for (nowMs = Math.max(nowMs, arrivedMs); nowMs < arrivedMs + together * tickMs; nowMs += tickMs) {
        const at = shown(buffer, nowMs);
        // At first the delay is being learned.
        if (tick < 10 * together) continue;
        assert.equal(buffer.sample(nowMs)?.starved, false);
        if (before !== undefined) assert.ok(Math.abs(at - before - 1) < 0.001, `${before} to ${at}`);
        before = at;
      }
    }
    assert.ok(before !== undefined);
  }
});
