// RFC 6455 over a session in the room `echo`, which returns each message as it came.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { withSession, within, type Session } from "./session";

const echo = (use: (session: Session) => Promise<void>) => withSession("/rooms/echo", use, []);
const messageBytesMax = 65_536;

for (const [what, message] of [
  ["text", "Grüße, 世界 🌍"],
  ["empty text", ""],
  ["bytes", Buffer.from([0, 1, 127, 128, 255])],
  ["no bytes", Buffer.alloc(0)],
  ["125 bytes", randomBytes(125)],
  ["126 bytes", randomBytes(126)],
  ["60 kB", randomBytes(60_000)],
  ["the largest message allowed", randomBytes(messageBytesMax)],
] as const) {
  test(`returns ${what} unchanged`, async () => {
    await echo(async (session) => {
      session.socket.send(message);
      const { data, isBinary } = await session.receive();
      assert.equal(isBinary, typeof message !== "string");
      assert.ok(data.equals(Buffer.from(message as string)));
    });
  });
}

test("returns messages in the order in which they came", async () => {
  await echo(async (session) => {
    for (let i = 0; i < 50; i++) session.socket.send(`message ${i}`);
    for (let i = 0; i < 50; i++) {
      assert.equal((await session.receive()).data.toString(), `message ${i}`);
    }
  });
});

test("joins fragments, and answers a ping that comes between them", async () => {
  await echo(async (session) => {
    const { socket } = session;
    const pong = once(socket, "pong");
    const world = Buffer.from("wörld");
    socket.send("Hel", { fin: false });
    socket.ping("in between");
    socket.send("lo ", { fin: false });
    socket.send(world.subarray(0, 2), { fin: false }); // in the middle of a character
    socket.send(world.subarray(2), { fin: true });
    const { data, isBinary } = await session.receive();
    assert.equal(data.toString(), "Hello wörld");
    assert.equal(isBinary, false);
    const [payload] = await within(pong, "a pong comes");
    assert.equal(String(payload), "in between");
  });
});

for (const [what, payload] of [
  ["empty", Buffer.alloc(0)],
  ["full", randomBytes(125)],
] as const) {
  test(`answers ${what} ping with the same payload`, async () => {
    await echo(async ({ socket }) => {
      const pong = once(socket, "pong");
      socket.ping(payload);
      const [answer] = await within(pong, "a pong comes");
      assert.ok(payload.equals(answer));
    });
  });
}

test("a message that is too big closes with 1009, whole or in fragments", async () => {
  await echo(async (session) => {
    session.socket.send(randomBytes(messageBytesMax + 1));
    assert.equal((await session.closure()).code, 1009);
  });
  await echo(async (session) => {
    const half = randomBytes(messageBytesMax / 2 + 1);
    session.socket.send(half, { fin: false });
    session.socket.send(half, { fin: true });
    assert.equal((await session.closure()).code, 1009);
  });
});

test("text that is not UTF-8 closes with 1007", async () => {
  await echo(async (session) => {
    session.socket.send(Buffer.from([0x68, 0xc3, 0x28]), { binary: false });
    assert.equal((await session.closure()).code, 1007);
  });
});

test("a frame without a mask closes with 1002", async () => {
  await echo(async (session) => {
    session.socket.send("bare", { mask: false });
    assert.equal((await session.closure()).code, 1002);
  });
});

for (const code of [1000, 1001, 1008, 3000, 4999]) {
  test(`answers a close frame of ${code} with the same`, async () => {
    await echo(async (session) => {
      session.socket.close(code, "as agreed");
      assert.equal((await session.closure()).code, code);
    });
  });
}

test("answers a close frame without a code", async () => {
  await echo(async (session) => {
    session.socket.close();
    const { code } = await session.closure();
    // 1005: the answer has no code either. 1000 is as good (RFC 6455 section 5.5.1).
    assert.ok(code === 1005 || code === 1000, `closed with ${code}`);
  });
});
