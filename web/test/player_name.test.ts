import assert from "node:assert/strict";
import { test } from "node:test";
import { fittingName, nameOf } from "../page/player_name";

/** As the arena puts them into fields: three bytes in each, the first the lowest. */
function partsOf(name: string): number[] {
  const bytes = new Uint8Array(15);
  bytes.set(new TextEncoder().encode(name));
  return [0, 3, 6, 9, 12].map((i) => bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16));
}

test("a name goes through the fields as it was", () => {
  for (const name of ["", "Ada", "Zoë", "Грейс", "日本語の名", "123456789012345"]) {
    assert.equal(nameOf(partsOf(name)), name);
  }
});

test("a name that is too long is cut between letters", () => {
  assert.equal(fittingName("1234567890123456"), "123456789012345");
  assert.equal(fittingName("12345678901234ё"), "12345678901234");
  assert.equal(fittingName("日本語日本語"), "日本語日本");
  assert.equal(fittingName("🦀🦀🦀🦀"), "🦀🦀🦀");
});

test("what can't be seen is no part of a name", () => {
  assert.equal(fittingName("  Ada\u0000\n\u202e  "), "Ada");
  assert.equal(fittingName("   "), "");
  assert.equal(fittingName("12345678901234 5"), "12345678901234");
});

test("what can't be seen in another's name is not shown", () => {
  assert.equal(nameOf(partsOf("A\u202eda\u200b")), "Ada");
  assert.equal(nameOf(partsOf("\ufeffZoë ")), "Zoë");
  assert.equal(nameOf(partsOf("\u2066\u200d")), "");
});

test("bytes that are no text are shown as such", () => {
  assert.equal(nameOf([0xff, 0, 0, 0, 0]), "\ufffd");
});
