// What the server answers before there is a session.
import assert from "node:assert/strict";
import { request, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { httpUrl, refusal, Session, subprotocol, within } from "./session";

async function http(method: string, path: string): Promise<IncomingMessage> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    const call = request(httpUrl + path, { method, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response));
    });
    call.on("error", reject);
    call.end();
  });
  return within(answered, `${method} ${path} is answered`);
}

test("chooses ringcast.v1 among what is offered", async () => {
  const session = await Session.open("/rooms/arena", ["other.v3", subprotocol]);
  assert.equal(session.socket.protocol, subprotocol);
  await session.leave();
});

test("accepts a client that offers no subprotocol, and names none", async () => {
  for (const path of ["/rooms/arena", "/rooms/echo"]) {
    const session = await Session.open(path, []);
    assert.equal(session.socket.protocol, "");
    await session.leave();
  }
});

test("declines extensions", async () => {
  const session = await Session.open("/rooms/arena", [subprotocol], { perMessageDeflate: true });
  assert.equal(session.socket.extensions, "");
  await session.leave();
});

test("a room that does not exist is 404", async () => {
  const { status } = await refusal("/rooms/no-such-room", [subprotocol]);
  assert.equal(status, 404);
});

test("a version other than 13 is 426 and told which is spoken", async () => {
  const { status, headers } = await refusal("/rooms/arena", [subprotocol], { protocolVersion: 8 });
  assert.equal(status, 426);
  assert.equal(headers["sec-websocket-version"], "13");
});

test("a plain request for a room is 426", async () => {
  const { statusCode, headers } = await http("GET", "/rooms/arena");
  assert.equal(statusCode, 426);
  assert.equal(headers.upgrade?.toLowerCase(), "websocket");
});

test("POST is 405 and told what is allowed", async () => {
  const { statusCode, headers } = await http("POST", "/rooms/arena");
  assert.equal(statusCode, 405);
  assert.match(headers.allow ?? "", /\bGET\b/);
});

test("a path that leads nowhere is 404", async () => {
  assert.equal((await http("GET", "/no/such/page")).statusCode, 404);
});
