// The server's encoder, the C++ reader and the one here, held together: seeded rooms of all kinds,
// with frames damaged on the way, and after each frame both readers say and hold the same.
// tests/replication/streams.cpp makes them; `./dev test web` and `./dev fuzz` say where it is, and
// RINGCAST_REPLICATION_SEED=N begins with that seed.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { checkTold, type Told } from "./replication_told";

const program = process.env["RINGCAST_REPLICATION_STREAMS"];
const firstSeed = Number(process.env["RINGCAST_REPLICATION_SEED"] ?? 1);
/** For so long rather than for a few seeds. */
const seconds = Number(process.env["RINGCAST_REPLICATION_SECONDS"] ?? 0);
const seedsAtOnce = 8;
const seedsLeast = 32;

function streamsOf(seed: number): Told[] {
  const run = spawnSync(program!, [String(seed), String(seedsAtOnce)], {
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  assert.equal(run.status, 0, `${run.error ?? run.stderr}`);
  // A stream is an object that begins on a line of its own.
  const texts = run.stdout.split(/\n(?=\{"name")/);
  return texts.map((text) => JSON.parse(text) as Told);
}

test(
  "encoder, C++ reader and this one agree frame by frame, damaged frames too",
  { skip: program === undefined && "RINGCAST_REPLICATION_STREAMS names no program" },
  () => {
    const endsMs = performance.now() + seconds * 1000;
    const results = new Map<string, number>();
    for (let seed = firstSeed; ; seed += seedsAtOnce) {
      if (seed >= firstSeed + seedsLeast && performance.now() >= endsMs) break;
      for (const told of streamsOf(seed)) {
        checkTold(told);
        for (const { result } of told.frames) results.set(result!, (results.get(result!) ?? 0) + 1);
      }
    }
    // All that can become of a frame has been met.
    for (const result of ["ok", "malformed", "noBeginning", "digestDiffers"]) {
      assert.ok(results.has(result), `no frame was ${result}`);
    }
  },
);
