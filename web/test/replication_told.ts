// What the C++ reader said after each frame (tests/replication/told.h), and the comparison of the
// reader here with it: value by value.
import assert from "node:assert/strict";
import { ReplicationReader, type ReadResult } from "../client";

export interface ToldFrame {
  readonly hex: string;
  /** In golden vectors all frames are read. */
  readonly result?: ReadResult;
  readonly tick: number;
  readonly input_applied: number;
  readonly entered: readonly number[];
  readonly changed: readonly number[];
  readonly left: readonly {
    readonly id: number;
    readonly class: number;
    readonly reason: number | null;
  }[];
  readonly overview: readonly number[];
  readonly objects: readonly {
    readonly id: number;
    readonly class: number;
    readonly owned: boolean;
    readonly tick: number;
    readonly values: readonly number[];
  }[];
}

export interface Told {
  readonly name?: string;
  readonly schema: string;
  readonly digests_checked: number;
  readonly frames: readonly ToldFrame[];
}

export const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

const ascending = (ids: readonly number[]) => [...ids].sort((one, other) => one - other);

/** Reads all of its frames; what is held and said after each is what was told. */
export function checkTold(told: Told): ReplicationReader {
  const reader = new ReplicationReader(fromHex(told.schema));
  told.frames.forEach((frame, i) => {
    const where = `frame ${i} of ${told.name ?? "the vectors"}, tick ${frame.tick}`;
    const result = reader.read(fromHex(frame.hex));
    assert.equal(result, frame.result ?? "ok", `${where}: ${reader.fault}`);
    assert.equal(reader.needsAnew, result !== "ok", where);
    const { hex: _, result: __, ...state } = frame;
    assert.deepEqual(said(reader), state, where);
  });
  assert.equal(reader.counts.digestsChecked, told.digests_checked);
  return reader;
}

function said(reader: ReplicationReader) {
  const objects = [...reader.objects()].map((object) => ({
    id: object.id,
    class: object.class.index,
    owned: object.owned,
    tick: object.tick,
    values: object.class.values.map((_, index) => object.quantum(index)),
  }));
  assert.equal(objects.length, reader.size);
  return {
    tick: reader.tick,
    input_applied: reader.inputApplied,
    entered: ascending(reader.entered.map(({ id }) => id)),
    changed: ascending(reader.changed.map(({ id }) => id)),
    left: reader.left
      .map(({ object, reason }) => ({
        id: object.id,
        class: object.class.index,
        reason: reason ?? null,
      }))
      .sort((one, other) => one.id - other.id),
    overview: [...reader.overview],
    objects: objects.sort((one, other) => one.id - other.id),
  };
}
