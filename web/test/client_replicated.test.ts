import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { Client, clientCloseCode, type ReplicatedFrame } from "../client";
import { FakeEnvironment } from "./fake_environment";

/** Frames that a server composed; of these the first begins anew, and so does one later. */
const golden = JSON.parse(
  readFileSync(resolve("../tests/replication/golden/eventful.json"), "utf8"),
) as { schema: string; frames: { hex: string; tick: number; objects: unknown[] }[] };
const frames = golden.frames.map(({ hex }) => Buffer.from(hex, "hex"));
const beginsAnew = frames.findIndex((frame, index) => index > 0 && (frame[0]! & 1) === 1);

interface Seen {
  readonly tick: number;
  readonly objects: number;
  readonly serverTimeMs: number;
}

function setUp(
  schema: Uint8Array = Buffer.from(golden.schema, "hex"),
  acknowledgeEveryTicks: number = 6,
) {
  const environment = new FakeEnvironment();
  const seen: Seen[] = [];
  const client = new Client({
    url: "ws://server/rooms/arena",
    environment,
    handlers: {
      onFrame: ({ reader, tick, serverTimeMs }: ReplicatedFrame) =>
        seen.push({ tick, objects: reader.size, serverTimeMs }),
    },
  });
  client.connect();
  environment.socket.welcome({ replicationSchema: schema, acknowledgeEveryTicks });
  environment.socket.takeSent(); // the first ping
  const deliver = (frame: Uint8Array, dueMs?: number) =>
    environment.socket.replicated(frame, dueMs);
  return { client, environment, seen, deliver };
}

test("hands over each frame of a replicated room, with when its tick was due", () => {
  const { environment, seen, deliver } = setUp();
  deliver(frames[0]!, 5_000);
  for (const frame of frames.slice(1, 12)) deliver(frame);
  assert.deepEqual(
    seen.map(({ tick, objects }) => ({ tick, objects })),
    golden.frames.slice(0, 12).map(({ tick, objects }) => ({ tick, objects: objects.length })),
  );
  const [first, last] = [seen[0]!, seen.at(-1)!];
  assert.ok(
    Math.abs(last.serverTimeMs - 5_000 - ((last.tick - first.tick) * 1_000) / 60) < 0.001,
  );
  assert.deepEqual(
    environment.socket.takeSent().map((message) => Number(message.newestTickSeen) - first.tick),
    [0, 6, 12],
  );
});

test("hands over each frame of those that come together, and acknowledges the newest once", () => {
  const { environment, seen } = setUp(undefined, 1);
  const count = 12;
  environment.socket.replicatedTogether(frames.slice(0, 3), [5_000, 5_017, 5_050]);
  for (let index = 3; index < count; index += 3) {
    environment.advance(50);
    environment.socket.replicatedTogether(frames.slice(index, index + 3));
  }
  assert.deepEqual(
    seen.map(({ tick, objects }) => ({ tick, objects })),
    golden.frames.slice(0, count).map(({ tick, objects }) => ({ tick, objects: objects.length })),
  );
  // Each time that was told holds, and the last of them goes on.
  assert.deepEqual(
    seen.slice(0, 3).map(({ serverTimeMs }) => serverTimeMs),
    [5_000, 5_017, 5_050],
  );
  const ticksSince = seen.at(-1)!.tick - seen[2]!.tick;
  assert.ok(Math.abs(seen.at(-1)!.serverTimeMs - 5_050 - (ticksSince * 1_000) / 60) < 0.001);
  assert.deepEqual(
    environment.socket
      .takeSent()
      .filter(({ message }) => message.case === undefined)
      .map((message) => Number(message.newestTickSeen)),
    [2, 5, 8, 11].map((index) => seen[index]!.tick),
  );
});

test("of frames that come together what is behind one that can't be read is dropped with it", () => {
  const { environment, seen } = setUp();
  environment.socket.replicatedTogether([frames[0]!, frames[1]!], [5_000, 5_017]);
  environment.socket.takeSent();
  environment.socket.replicatedTogether([frames[2]!, frames[3]!.subarray(0, 20), frames[4]!]);
  assert.equal(seen.length, 3);
  const sent = environment.socket.takeSent();
  assert.deepEqual(
    sent.map(({ message }) => message.case),
    ["resync"],
  );
  assert.equal(Number(sent[0]!.newestTickSeen), seen[2]!.tick);
});

test("a handler that throws at one of the frames that came together misses none of the others", () => {
  const environment = new FakeEnvironment();
  const told: number[] = [];
  const client: Client = new Client({
    url: "ws://server/rooms/arena",
    environment,
    handlers: {
      onFrame({ tick }) {
        told.push(tick);
        if (told.length === 1) throw new Error("of the game");
      },
    },
  });
  client.connect();
  environment.socket.welcome({ replicationSchema: Buffer.from(golden.schema, "hex") });
  assert.throws(() => environment.socket.replicatedTogether(frames.slice(0, 2), [5_000, 5_017]), /of the game/);
  environment.socket.replicated(frames[2]!);
  assert.equal(told.length, 3);
  assert.deepEqual(environment.socket.takeSent().filter(({ message }) => message.case === "resync"), []);
});

test("who leaves at one of the frames that came together is told no other", () => {
  const environment = new FakeEnvironment();
  let told = 0;
  const client: Client = new Client({
    url: "ws://server/rooms/arena",
    environment,
    handlers: {
      onFrame() {
        told++;
        client.close();
      },
    },
  });
  client.connect();
  environment.socket.welcome({ replicationSchema: Buffer.from(golden.schema, "hex") });
  environment.socket.replicatedTogether(frames.slice(0, 2), [5_000, 5_017]);
  assert.equal(told, 1);
  assert.equal(environment.timersPending, 0);
});

test("asks once for everything anew when a frame can't be read, and goes on from what begins", () => {
  const { environment, seen, deliver } = setUp();
  deliver(frames[0]!, 5_000);
  environment.socket.takeSent();
  deliver(frames[1]!.subarray(0, 20));
  for (const frame of frames.slice(2, beginsAnew)) deliver(frame);
  assert.equal(seen.length, 1);
  const sent = environment.socket.takeSent();
  assert.equal(sent.length, 1);
  assert.equal(sent[0]!.message.case, "resync");
  assert.equal(sent[0]!.message.case === "resync" && sent[0]!.message.value.digestDiffers, false);
  deliver(frames[beginsAnew]!, 9_000);
  deliver(frames[beginsAnew + 1]!);
  assert.equal(seen.length, 3);
  assert.equal(seen[1]!.serverTimeMs, 9_000);
  assert.equal(seen[2]!.objects, golden.frames[beginsAnew + 1]!.objects.length);
  assert.equal(
    Number(environment.socket.takeSent()[0]!.newestTickSeen),
    golden.frames[beginsAnew]!.tick,
  );
});

test("says so when what it holds is not what it should be", () => {
  const { environment, deliver } = setUp();
  deliver(frames[0]!, 5_000);
  environment.socket.takeSent();
  const damaged = Uint8Array.from(frames[1]!);
  damaged[damaged.length - 2]! ^= 1; // of the digest, which is the last but for less than a byte
  deliver(damaged);
  const [sent] = environment.socket.takeSent();
  assert.equal(sent!.message.case === "resync" && sent!.message.value.digestDiffers, true);
});

test("leaves a room whose schema it can't read", () => {
  const { environment } = setUp(Uint8Array.of(9, 9));
  assert.equal(environment.socket.closedWith?.code, clientCloseCode.malformedMessage);
});

test("asks again when the frame that should begin anew can't be read", () => {
  const { environment, seen, deliver } = setUp();
  deliver(frames[0]!, 5_000);
  environment.socket.takeSent();
  const resyncs = () =>
    environment.socket.takeSent().filter(({ message }) => message.case === "resync").length;
  deliver(frames[1]!.subarray(0, 20));
  deliver(frames[2]!);
  assert.equal(resyncs(), 1);
  deliver(frames[beginsAnew]!.subarray(0, 20), 9_000);
  assert.equal(resyncs(), 1);
  deliver(frames[beginsAnew + 1]!); // which follows what was not read
  assert.equal(resyncs(), 0);
  deliver(frames[beginsAnew]!, 9_000);
  assert.equal(seen.length, 2);
});

test("says once that a frame is overdue, and acknowledges the next at once", () => {
  // So seldom that nothing else is acknowledged meanwhile.
  const { client, environment, deliver } = setUp(undefined, 60);
  for (const [index, frame] of frames.slice(0, 40).entries()) {
    environment.advance(1_000 / 60);
    deliver(frame, index === 0 ? 5_000 : undefined);
  }
  const acknowledged = () =>
    environment.socket
      .takeSent()
      .filter(({ message }) => message.case === undefined)
      .map((message) => Number(message.newestTickSeen));
  acknowledged();
  const last = golden.frames[39]!.tick;
  environment.advance(1_000);
  assert.deepEqual(acknowledged(), [last]); // once more: a ping has said it before
  environment.advance(1_000);
  assert.deepEqual(acknowledged(), []);
  deliver(frames[40]!);
  assert.deepEqual(acknowledged(), [golden.frames[40]!.tick]);
  client.close();
  assert.equal(environment.timersPending, 0);
});
