import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, ReplicationReader } from "../client";
import { ReplicatedFeed } from "../page/replicated_feed";
import { NotAnArena, totalOf, type Mark } from "../page/scene";
import { FakeEnvironment } from "./fake_environment";
import { FrameWriter, writeSchema, type WrittenField, type WrittenSchema } from "./frame_writer";

const real = (name: string, high: number, resolution: number, flags = 0): WrittenField => ({
  name,
  kind: 0,
  flags,
  range: [0, high, resolution],
});
const radius = real("radius", 50, 0.25);
const score = real("score", 9_999, 1);
const nameParts = [0, 1, 2, 3, 4].map((part) => real(`name_${part}`, 0xff_ffff, 1));
const away: WrittenField = { name: "away", kind: 1, flags: 0, range: [0, 1, 1] };
const members = real("members", 99_999, 1, 2);

const schema: WrittenSchema = {
  axes: [
    [0, 1000],
    [0, 1000],
  ],
  resolution: 1,
  rootBits: 10,
  layers: 1,
  historyTicks: 31,
  overview: [2, 1],
  classes: [
    { name: "player", fields: [radius, score, away, ...nameParts, members] },
    { name: "bot", fields: [radius, score] },
    { name: "fragment", fields: [radius] },
  ],
  reasons: ["removed", "absorbed"],
};

const bitsOfName = 0x61_64_41; // "Ada", the first letter lowest

/** A frame whose own part has these, whole; ids ascend. */
function frame(tick: number, write: (writer: FrameWriter) => void, count: number): Uint8Array {
  const writer = new FrameWriter().anew(tick, [false, true, false]);
  writer.bits(0, 6).expGolomb(3, 3).expGolomb(4, 3); // row 0 of the overview
  writer.flag(true).count(count);
  write(writer);
  return writer.flag(true).bytes(); // all cells, of which there are none
}

function player(writer: FrameWriter, gap: number, owned: boolean): void {
  writer.expGolomb(gap, 8).bits(0, 2).flag(owned);
  writer.bits(400, 10).bits(300, 10).flag(false);
  writer.bits(80, 8).bits(7, 14).bits(0, 1).bits(bitsOfName, 24);
  for (let part = 1; part < 5; part++) writer.bits(0, 24);
  if (owned) writer.bits(25, 17);
}

function fragment(writer: FrameWriter, gap: number): void {
  writer.expGolomb(gap, 8).bits(2, 2).flag(false);
  writer.bits(425, 10).bits(300, 10).flag(false).bits(16, 8);
}

function fedWith(written: WrittenSchema = schema) {
  const marks: Mark[] = [];
  const reader = new ReplicationReader(writeSchema(written));
  const feed = new ReplicatedFeed(50, (mark) => marks.push(mark));
  const give = (bytes: Uint8Array) => {
    assert.equal(reader.read(bytes), "ok");
    const { tick } = reader;
    const atMs = tick * 20;
    feed.takeFrame({ reader, tick, serverTimeMs: atMs, receivedAtMs: atMs, ageMs: undefined });
  };
  return { feed, marks, give, reader };
}

const both = (writer: FrameWriter) => {
  player(writer, 5, true);
  fragment(writer, 4);
};

test("a scene has the objects in view, one's own with its name, score and members", () => {
  const { feed, give } = fedWith();
  assert.equal(feed.scene(0), undefined);
  assert.equal(feed.watches, false);
  give(frame(10, both, 2));
  give(frame(11, both, 2));
  const scene = feed.scene(300)!;
  assert.deepEqual(scene.arena, { width: 1000, height: 1000 });
  assert.equal(scene.discs.length, 2);
  const { own } = scene;
  assert.ok(own !== undefined);
  assert.deepEqual(
    [own.id, own.kind, own.x, own.y, own.radius, own.name, own.score, own.away],
    [5, "player", 400, 300, 20, "Ada", 7, false],
  );
  assert.equal(feed.members, 25);
  assert.equal(feed.watches, false);
  assert.equal(feed.desyncs, 0);
  assert.equal(totalOf(feed.map()!), 7);
  assert.deepEqual([...feed.map()!.counts as Uint32Array], [3, 4]);
});

test("how many there are in all is not known before the whole map has come", () => {
  const { feed, give } = fedWith({ ...schema, overview: [2, 2] });
  give(frame(10, both, 2));
  assert.equal(totalOf(feed.map()!), undefined);
  const rest = new FrameWriter().goesOn([false, true, false]);
  rest.bits(1, 6).expGolomb(1, 3).expGolomb(2, 3);
  rest.count(0).count(0).unary(0).residual(0).residual(0).residual(0).residual(0).count(0).flag(true);
  give(rest.bytes());
  assert.equal(totalOf(feed.map()!), 10);
});

test("a disc fades in, and stays the same one", () => {
  const { feed, give } = fedWith();
  give(frame(10, both, 2));
  const early = feed.scene(200 + 50)!.discs[0]!;
  assert.equal(early.opacity, 0.2);
  give(frame(11, both, 2));
  const later = feed.scene(200 + 5_000)!.discs[0]!;
  assert.equal(later, early);
  assert.equal(later.opacity, 1);
});

test("a fragment that was absorbed leaves a mark towards who did it, one out of view leaves none", () => {
  const { feed, give, marks } = fedWith();
  give(frame(10, both, 2));
  const absorbed = new FrameWriter().goesOn();
  // Of the list of two the second leaves: it has ended, absorbed.
  absorbed.count(1).expGolomb(1, 2).flag(true).bits(1, 8);
  absorbed.count(0).unary(0).residual(0).residual(0).count(0).flag(true);
  give(absorbed.bytes());
  assert.deepEqual(
    marks.map(({ style, at, into }) => [style, at.x, into.x]),
    [["absorb", 425, 400]],
  );
  assert.equal(feed.scene(400)!.discs.length, 1);
  const gone = new FrameWriter().goesOn();
  gone.count(1).expGolomb(0, 2).flag(false).count(0).flag(true);
  give(gone.bytes());
  assert.equal(marks.length, 1);
  assert.equal(feed.scene(420)!.own, undefined);
  assert.equal(feed.watches, true);
  assert.equal(feed.members, undefined);
});

test("a frame whose digest differs is drawn: what left with it stays gone after one anew", () => {
  const environment = new FakeEnvironment();
  const feed = new ReplicatedFeed(50, () => {});
  let reader: ReplicationReader | undefined;
  const client = new Client({
    url: "ws://server/rooms/arena",
    environment,
    handlers: {
      onFrame(frame) {
        ({ reader } = frame);
        feed.takeFrame(frame);
      },
    },
  });
  client.connect();
  environment.socket.welcome({ replicationSchema: writeSchema(schema) });
  environment.socket.replicated(frame(10, both, 2), 5_000);
  environment.socket.takeSent();
  const differs = new FrameWriter().goesOn([false, false, true]);
  differs.count(1).expGolomb(1, 2).flag(true).bits(1, 8); // the second has ended, absorbed
  differs.count(0).unary(0).residual(0).residual(0).count(0).flag(true).bits(12_345, 32);
  environment.socket.replicated(differs.bytes());
  const asked = environment.socket.takeSent().map(({ message }) => message);
  assert.deepEqual(
    asked.map(({ case: kind, value }) => kind === "resync" && value.digestDiffers),
    [true],
  );
  environment.socket.replicated(frame(12, (writer) => player(writer, 5, true), 1), 5_040);
  const ids = [...reader!.objects()].map(({ id }) => id);
  assert.deepEqual(ids, [5]);
  assert.deepEqual(
    feed.scene(environment.now())!.discs.map(({ id }) => id),
    ids,
  );
  client.close();
});

test("a room of other objects, or of three dimensions, is no arena", () => {
  const empty = new FrameWriter().anew(1).flag(false).flag(true).bytes();
  const { classes } = schema;
  for (const other of [
    { ...schema, classes: classes.slice(0, 2) },
    { ...schema, classes: [...classes.slice(0, 2), { name: "fragment", fields: [score] }] },
    { ...schema, axes: [...schema.axes, [0, 1000]] as [number, number][] },
  ]) {
    assert.throws(() => fedWith(other).give(empty), NotAnArena);
  }
});
