// The envelope, over a session in the room `plain`, an arena that sends everything to everyone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeEvent, decodeState, encodeInput } from "../../../web/page/arena_state";
import { Session, withSession } from "./session";

const path = "/rooms/plain";
const bare = { kind: "acknowledgement" } as const;

test("a newcomer gets the welcome, then the full state, then the stream", async () => {
  await withSession(path, async (session) => {
    const welcome = await session.receiveEnvelope();
    assert.equal(welcome.kind, "welcome");
    if (welcome.kind !== "welcome") return;
    assert.equal(welcome.room, "plain");
    assert.ok(welcome.memberId > 0);
    assert.ok(welcome.rateHz >= 1 && welcome.rateHz <= 240);
    assert.ok(welcome.acknowledgeEveryTicks >= 1);
    assert.notEqual(welcome.serverVersion, "");

    const full = await session.receiveEnvelope();
    assert.equal(full.kind, "snapshot");
    if (full.kind !== "snapshot") return;
    assert.ok(full.tick >= welcome.tick - 1);
    const state = decodeState(full.payload);
    assert.ok(state.objects.size > 0);
    assert.ok(state.width > 0 && state.height > 0);
  });
});

test("ticks and the server's time rise from snapshot to snapshot", async () => {
  await withSession(path, async (session) => {
    await session.receiveSnapshot(); // the full state may be of the first tick's number
    let before = await session.receiveSnapshot();
    for (let i = 0; i < 60; i++) {
      const snapshot = await session.receiveKind("snapshot");
      assert.ok(snapshot.tick > before.tick, `${snapshot.tick} after ${before.tick}`);
      assert.ok(snapshot.serverTimeMs > before.serverTimeMs);
      session.sendEnvelope(snapshot.tick, bare);
      before = snapshot;
    }
  });
});

test("objects move", async () => {
  await withSession(path, async (session) => {
    const before = decodeState((await session.receiveSnapshot()).payload).objects;
    for (let i = 0; i < 20; i++) await session.receiveSnapshot();
    const after = decodeState((await session.receiveSnapshot()).payload).objects;
    const moved = [...after.values()].filter(({ id, x, y }) => {
      const earlier = before.get(id);
      return earlier !== undefined && (earlier.x !== x || earlier.y !== y);
    });
    assert.ok(moved.length > before.size / 2, `${moved.length} of ${before.size} moved`);
  });
});

test("events are numbered without a gap from the welcome on", async () => {
  await withSession(path, async (session) => {
    const { eventSequence } = await session.receiveKind("welcome");
    for (let i = 0; i < 4; i++) {
      const passerBy = await Session.open(path);
      await passerBy.receiveKind("welcome");
      await passerBy.leave();
    }
    let sequence = eventSequence;
    for (let sessionsEnded = 0; sessionsEnded < 4; ) {
      const event = await session.receiveKind("event");
      if (event.sequence !== 0) assert.equal(event.sequence, ++sequence);
      if (decodeEvent(event.payload).case === "sessionEnded") sessionsEnded++;
    }
  });
});

test("a member learns which object is its own, and steers it", async () => {
  await withSession(path, async (session) => {
    const { memberId } = await session.receiveKind("welcome");
    let own: number | undefined;
    while (own === undefined) {
      const event = decodeEvent((await session.receiveKind("event")).payload);
      if (event.case === "created" && event.value.memberId === memberId) {
        own = event.value.object?.id;
      }
    }
    for (const dx of [1, -1]) {
      let velocity = 0;
      for (let i = 0; i < 240 && velocity * dx <= 0; i++) {
        const { tick, payload } = await session.receiveKind("snapshot");
        session.sendEnvelope(tick, { kind: "input", payload: encodeInput({ dx, dy: 0 }) });
        velocity = decodeState(payload).objects.get(own)?.vx ?? 0;
      }
      assert.ok(velocity * dx > 0, `vx is ${velocity} after inputs of dx ${dx}`);
    }
  });
});

test("who stops acknowledging gets no further snapshots, until it does again", async () => {
  await withSession(path, async (session) => {
    const { rateHz } = await session.receiveKind("welcome");
    let newest = (await session.receiveKind("snapshot")).tick;
    session.sendEnvelope(newest, bare);

    // Two seconds' worth, of which only the bound's few may come.
    const unboundedMin = 2 * rateHz;
    let received = 0;
    for (let quiet = false; !quiet; ) {
      const snapshot = session.receiveKind("snapshot");
      const silence = new Promise<undefined>((resolve) => setTimeout(resolve, 1_000, undefined));
      const first = await Promise.race([snapshot, silence]);
      if (first === undefined) {
        quiet = true;
        session.sendEnvelope(newest, bare);
        const resumed = await snapshot;
        assert.ok(resumed.tick > newest);
      } else {
        newest = first.tick;
        received++;
        assert.ok(received < unboundedMin, `${received} snapshots without an acknowledgement`);
      }
    }
    assert.ok(received > 0);
  });
});

test("a ping is answered by the server's clock", async () => {
  await withSession(path, async (session) => {
    await session.receiveKind("welcome");
    const sentMs = performance.now();
    const beforeMs = Date.now();
    session.sendEnvelope(0, { kind: "ping", sentMs });
    const pong = await session.receiveKind("pong");
    assert.ok(Math.abs(pong.pingSentMs - sentMs) < 0.001);
    // Date.now() drops the fraction.
    assert.ok(pong.answeredUnixMs >= beforeMs && pong.answeredUnixMs < Date.now() + 1);
  });
});

for (const [what, send, code] of [
  [
    "bytes that are no envelope",
    (session: Session) => session.socket.send(Uint8Array.of(0xff, 0xff, 0xff)),
    1007,
  ],
  [
    "an input that is none",
    (session: Session) =>
      session.sendEnvelope(0, { kind: "input", payload: Uint8Array.of(0xff, 0xff) }),
    1007,
  ],
  ["text", (session: Session) => session.socket.send("hello"), 1003],
] as const) {
  test(`${what} closes that session with ${code} and a reason, and no other`, async () => {
    await withSession(path, async (bystander) => {
      await bystander.receiveSnapshot();
      await withSession(path, async (session) => {
        await session.receiveKind("welcome");
        send(session);
        const closure = await session.closure();
        assert.equal(closure.code, code);
        assert.notEqual(closure.reason, "");
      });
      for (let i = 0; i < 10; i++) await bystander.receiveSnapshot();
      assert.equal(bystander.socket.readyState, bystander.socket.OPEN);
    });
  });
}
