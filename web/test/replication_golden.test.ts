import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { checkTold, type Told } from "./replication_told";

// The tests are bundled elsewhere, and run in web/.
const folder = resolve("../tests/replication/golden");
const names = readdirSync(folder).filter((name) => name.endsWith(".json"));

test("there are golden vectors", () => {
  assert.ok(names.length >= 5);
});

for (const name of names) {
  test(`the golden vectors ${name} are read as they say`, () => {
    const told = JSON.parse(readFileSync(`${folder}/${name}`, "utf8")) as Told;
    const reader = checkTold({ ...told, name });
    assert.equal(reader.counts.frames, told.frames.length);
    assert.equal(reader.counts.desyncs, 0);
    assert.ok(told.digests_checked >= told.frames.length / 4);
  });
}
