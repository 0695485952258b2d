import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Client,
  clientCloseCode,
  type ConnectionState,
  type RoomEvent,
  type Snapshot,
} from "../client";
import { FakeEnvironment, type FakeSocket } from "./fake_environment";

function setUp() {
  const environment = new FakeEnvironment();
  const snapshots: Snapshot[] = [];
  const events: RoomEvent[] = [];
  const states: ConnectionState[] = [];
  const errors: string[] = [];
  const client = new Client({
    url: "ws://server/rooms/arena",
    environment,
    handlers: {
      onSnapshot: (snapshot) => snapshots.push(snapshot),
      onEvent: (event) => events.push(event),
      onState: (state) => states.push(state),
      onServerError: (code, text) => errors.push(`${code}: ${text}`),
    },
  });
  client.connect();
  return { client, environment, snapshots, events, states, errors };
}

function setUpOpen(welcome: Parameters<FakeSocket["welcome"]>[0] = {}) {
  const all = setUp();
  all.environment.socket.welcome(welcome);
  all.environment.socket.takeSent(); // the first ping
  return all;
}

const phases = (states: ConnectionState[]) => states.map((state) => state.phase);

test("connects with the subprotocol, for binary data, and is open once welcomed", () => {
  const { client, environment, states } = setUp();
  assert.equal(environment.socket.url, "ws://server/rooms/arena");
  assert.deepEqual(environment.socket.subprotocols, ["ringcast.v1"]);
  assert.equal(environment.socket.binaryType, "arraybuffer");
  assert.deepEqual(phases(states), ["connecting"]);
  environment.socket.welcome();
  assert.equal(client.state.phase, "open");
  assert.equal(client.state.phase === "open" && client.state.welcome.memberId, 7);
});

test("connecting twice opens one socket", () => {
  const { client, environment } = setUp();
  client.connect();
  assert.equal(environment.sockets.length, 1);
});

test("acknowledges the first snapshot at once, then every sixth tick", () => {
  const { environment, snapshots } = setUpOpen();
  const acknowledged: bigint[] = [];
  for (let tick = 100; tick <= 118; tick++) {
    environment.socket.snapshot(tick);
    for (const message of environment.socket.takeSent()) acknowledged.push(message.newestTickSeen);
  }
  assert.deepEqual(acknowledged, [100n, 106n, 112n, 118n]);
  assert.equal(snapshots.length, 19);
});

test("acknowledges at once when ticks were skipped", () => {
  const { environment, snapshots } = setUpOpen();
  environment.socket.snapshot(1);
  environment.socket.takeSent();
  environment.socket.snapshot(9);
  assert.deepEqual(
    environment.socket.takeSent().map((message) => message.newestTickSeen),
    [9n],
  );
  assert.equal(snapshots[1]?.ticksSkipped, 7);
});

test("acknowledges at once when a snapshot is late", () => {
  const { environment } = setUpOpen();
  environment.socket.snapshot(1);
  environment.socket.takeSent();
  environment.advance(99);
  environment.socket.snapshot(2);
  assert.equal(environment.socket.takeSent().length, 0);
  environment.advance(1);
  environment.socket.snapshot(3);
  assert.equal(environment.socket.takeSent()[0]?.newestTickSeen, 3n);
});

test("acknowledges three times as often for half a minute after a snapshot was late", () => {
  const { environment } = setUpOpen();
  const startMs = environment.now();
  let tick = 1;
  /** How often, of so many ticks whose snapshots are on their way for `onItsWayMs`. */
  const acknowledgedIn = (ticks: number, onItsWayMs: number): number => {
    for (const end = tick + ticks; tick < end; tick++) {
      const madeMs = Math.round((tick * 1000) / 60);
      environment.advance(Math.max(0, startMs + madeMs + onItsWayMs - environment.now()));
      environment.socket.snapshot(tick, madeMs);
    }
    return environment.socket.takeSent().filter((message) => message.message.case === undefined)
      .length;
  };
  assert.ok(acknowledgedIn(60, 20) <= 11);
  assert.ok(acknowledgedIn(60, 90) <= 11); // as uneven paths are
  acknowledgedIn(1, 150);
  assert.ok(acknowledgedIn(60, 20) >= 28);
  acknowledgedIn(28 * 60, 20);
  assert.ok(acknowledgedIn(30, 20) >= 14);
  acknowledgedIn(120, 20);
  assert.ok(acknowledgedIn(60, 20) <= 11);
});

test("says once that a snapshot is overdue, and acknowledges the next at once", () => {
  const { client, environment } = setUpOpen();
  let tick = 0;
  for (const endTick = 602; tick < endTick; ) {
    environment.advance(20);
    environment.socket.snapshot(++tick);
  }
  const seen = () =>
    environment.socket
      .takeSent()
      .filter((message) => message.message.case === undefined)
      .map((message) => message.newestTickSeen);
  seen();
  environment.advance(35);
  assert.deepEqual(seen(), []);
  environment.advance(3); // a tick more than what is usual
  // 601 was acknowledged: 602 is, and then that we wait.
  assert.deepEqual(seen(), [602n, 602n]);
  environment.advance(1_000);
  assert.deepEqual(seen(), []);
  environment.socket.snapshot(++tick);
  assert.deepEqual(seen(), [603n]);
  client.close();
  assert.equal(environment.timersPending, 0);
});

test("acknowledges the first snapshot at once, whatever was said before it", () => {
  const { client, environment } = setUpOpen();
  client.sendInput(new Uint8Array([1]));
  environment.socket.takeSent();
  environment.socket.snapshot(1);
  assert.equal(environment.socket.takeSent()[0]?.newestTickSeen, 1n);
});

test("an input carries the acknowledgement, so that none is sent beside it", () => {
  const { client, environment } = setUpOpen();
  environment.socket.snapshot(1);
  environment.socket.snapshot(5);
  environment.socket.takeSent();
  assert.ok(client.sendInput(Uint8Array.of(1, 2)));
  environment.socket.snapshot(7);
  const sent = environment.socket.takeSent();
  assert.equal(sent.length, 1);
  assert.equal(sent[0]?.newestTickSeen, 5n);
  assert.equal(sent[0]?.message.case, "input");
  assert.deepEqual(
    sent[0]?.message.case === "input" && sent[0].message.value.payload,
    Uint8Array.of(1, 2),
  );
});

test("refuses inputs while it is not open", () => {
  const { client, environment } = setUp();
  assert.equal(client.sendInput(Uint8Array.of(1)), false);
  environment.socket.welcome();
  assert.equal(client.sendInput(Uint8Array.of(1)), true);
  environment.socket.drop();
  assert.equal(client.sendInput(Uint8Array.of(1)), false);
});

test("a full state is what the server says is one, not what comes first", () => {
  const { environment, snapshots } = setUpOpen();
  environment.socket.snapshot(40);
  environment.socket.snapshot(43, 0, { full: true });
  environment.socket.snapshot(44);
  assert.deepEqual(
    snapshots.map(({ tick, full, ticksSkipped }) => [tick, full, ticksSkipped]),
    [
      [40, false, 0],
      [43, true, 0],
      [44, false, 0],
    ],
  );
});

test("streams go on beside each other, and a full state is of all of them", () => {
  const { client, environment, snapshots } = setUpOpen();
  environment.socket.snapshot(10, 0, { full: true });
  environment.socket.snapshot(9, 0, { stream: 1 }); // older than the full state
  environment.socket.snapshot(12);
  environment.socket.snapshot(11, 0, { stream: 1 });
  environment.socket.snapshot(14, 0, { stream: 3 });
  environment.socket.snapshot(13, 0, { stream: 3 });
  assert.deepEqual(
    snapshots.map(({ tick, stream, ticksSkipped }) => [tick, stream, ticksSkipped]),
    [
      [10, 0, 0],
      [12, 0, 1],
      [11, 1, 0],
      [14, 3, 3],
    ],
  );
  assert.equal(client.newestTick, 14); // what is acknowledged
});

test("two snapshots of a tick in one stream both come: the second is for this member", () => {
  const { environment, snapshots } = setUpOpen();
  environment.socket.snapshot(10, 0, { stream: 2 });
  environment.socket.snapshot(10, 0, { stream: 2 });
  environment.socket.snapshot(9, 0, { stream: 2 });
  assert.deepEqual(
    snapshots.map(({ tick, stream, full }) => [tick, stream, full]),
    [
      [10, 2, false],
      [10, 2, false],
    ],
  );
});

test("every stream begins anew with a session", () => {
  const { environment, snapshots } = setUpOpen();
  environment.socket.snapshot(500, 0, { stream: 1 });
  environment.socket.drop();
  environment.advance(500);
  environment.socket.welcome();
  environment.socket.snapshot(3, 0, { full: true });
  environment.socket.snapshot(4, 0, { stream: 1 });
  assert.deepEqual(
    snapshots.map(({ tick, stream, ticksSkipped }) => [tick, stream, ticksSkipped]),
    [
      [500, 1, 0],
      [3, 0, 0],
      [4, 1, 0],
    ],
  );
});

for (const code of [1008, 4000, 4100, 4999]) {
  test(`whom the simulation does not let in, with ${code}, stays out and knows why`, () => {
    const { client, environment, states } = setUp();
    environment.socket.open(); // the upgrade is answered before the room is asked
    environment.socket.drop({ code, reason: "this game has begun", wasClean: true });
    assert.deepEqual(client.state, {
      phase: "closed",
      closure: { code, reason: "this game has begun" },
    });
    environment.advance(60_000);
    assert.equal(environment.sockets.length, 1);
    assert.deepEqual(phases(states), ["connecting", "closed"]);
  });
}

test("who is not let in again is a newcomer from then on", () => {
  const { client, environment } = setUpOpen({ resumeToken: Uint8Array.of(1), eventPosition: 5n });
  environment.socket.drop();
  environment.advance(500);
  environment.socket.open();
  environment.socket.drop({ code: 4100, reason: "this game has begun" });
  assert.equal(client.state.phase, "closed");
  client.connect();
  assert.deepEqual(environment.socket.subprotocols, ["ringcast.v1"]);
});

test("never shows a snapshot older than one before", () => {
  const { client, environment, snapshots } = setUpOpen();
  environment.socket.snapshot(5);
  environment.socket.snapshot(4);
  assert.deepEqual(
    snapshots.map((snapshot) => snapshot.tick),
    [5],
  );
  assert.equal(client.newestTick, 5);
});

test("measures a snapshot's age by the server's clock, synchronised by pings", () => {
  const { client, environment, snapshots } = setUp();
  environment.socket.welcome();
  const ping = environment.socket.takeSent()[0]?.message;
  assert.equal(ping?.case, "ping");
  assert.equal(client.roundTripMs, undefined);
  environment.advance(20);
  // 10 ms to get there: the server's clock showed 500,000 when the local one showed 1,010.
  environment.socket.deliver({
    case: "pong",
    value: { pingSentNs: (ping.value as { sentNs: bigint }).sentNs, answeredUnixNs: 500_000_000_000n },
  });
  assert.equal(client.roundTripMs, 20);
  assert.equal(client.serverTimeMs(1_010), 500_000);
  environment.advance(30);
  environment.socket.snapshot(1, 500_005); // arrives at local 1,050: server's 500,040
  assert.equal(snapshots[0]?.ageMs, 35);
});

test("compares clocks a few times at first, then every two seconds", () => {
  const { environment } = setUpOpen();
  const pings = () =>
    environment.socket.takeSent().filter(({ message }) => message.case === "ping").length;
  environment.socket.snapshot(1);
  environment.advance(800);
  assert.equal(pings(), 4);
  environment.socket.snapshot(2);
  environment.advance(6_000);
  assert.equal(pings(), 3);
});

test("answers the server's ping with its own unix time", () => {
  const { environment } = setUpOpen();
  environment.socket.deliver({ case: "ping", value: { sentNs: 123_456_789_012_345_678n } });
  const answer = environment.socket.takeSent()[0]?.message;
  assert.equal(answer?.case, "pong");
  if (answer?.case !== "pong") return;
  assert.equal(answer.value.pingSentNs, 123_456_789_012_345_678n);
  assert.equal(answer.value.answeredUnixNs, BigInt(environment.unixNow()) * 1_000_000n);
});

test("hands events over in order, from where the welcome says", () => {
  const { environment, events } = setUpOpen({ eventSequence: 41n });
  environment.socket.event(42);
  environment.socket.event(0); // to this member alone: not numbered
  environment.socket.event(43);
  assert.deepEqual(
    events.map((event) => event.sequence),
    [42, 0, 43],
  );
});

for (const [name, sequence] of [
  ["missing", 3],
  ["repeated", 1],
] as const) {
  test(`starts a new session when an event is ${name}`, () => {
    const { environment, events, states } = setUpOpen();
    environment.socket.event(1);
    const socket = environment.socket;
    socket.event(sequence);
    assert.equal(events.length, 1);
    assert.equal(socket.closedWith?.code, clientCloseCode.eventsOutOfOrder);
    assert.deepEqual(phases(states).at(-1), "waiting");
    environment.advance(500);
    assert.equal(environment.sockets.length, 2);
    // Events are numbered anew.
    environment.socket.welcome();
    environment.socket.event(1);
    assert.equal(events.length, 2);
  });
}

for (const [name, data] of [
  ["text", "hello"],
  ["bytes that are no envelope", Uint8Array.of(0xff, 0xff, 0xff).buffer],
] as const) {
  test(`gives up on a session that sends ${name}`, () => {
    const { environment, states } = setUpOpen();
    environment.socket.deliverRaw(data);
    assert.equal(environment.sockets[0]?.closedWith?.code, clientCloseCode.malformedMessage);
    assert.equal(states.at(-1)?.phase, "waiting");
  });
}

test("does not come back to what does not even begin with a welcome", () => {
  const { environment, states } = setUp();
  environment.socket.open();
  environment.socket.deliverRaw("hello");
  assert.equal(states.at(-1)?.phase, "closed");
  environment.advance(60_000);
  assert.equal(environment.sockets.length, 1);
});

test("ignores messages of a later protocol", () => {
  const { client, environment } = setUpOpen();
  environment.socket.deliverRaw(Uint8Array.of(0xfa, 0x01, 0x00).buffer); // field 31, empty
  assert.equal(client.state.phase, "open");
});

test("tells of what the server dropped, and stays", () => {
  const { client, environment, errors } = setUpOpen();
  environment.socket.deliver({ case: "error", value: { code: 1, text: "slower, please" } });
  assert.deepEqual(errors, ["rateLimited: slower, please"]);
  assert.equal(client.state.phase, "open");
});

test("reconnects after just the delay that the server asked for", () => {
  const { environment, states } = setUpOpen();
  environment.socket.deliver({ case: "goingAway", value: { delayMs: 1_234 } });
  environment.socket.drop({ code: 1001, reason: "restarting", wasClean: true });
  assert.deepEqual(states.at(-1), {
    phase: "waiting",
    closure: { code: 1001, reason: "restarting" },
    delayMs: 1_234,
  });
  environment.advance(1_233);
  assert.equal(environment.sockets.length, 1);
  environment.advance(1);
  assert.equal(environment.sockets.length, 2);
  // The delay was for one reconnect.
  environment.socket.welcome();
  environment.socket.drop();
  const state = states.at(-1);
  assert.equal(state?.phase === "waiting" && state.delayMs, 750);
});

const token = Uint8Array.of(0x0a, 0xff, 0x3e);

test("comes back with the newest token, and says what it has of the events", () => {
  const { environment, snapshots, events } = setUpOpen({ resumeToken: token, eventPosition: 5n });
  environment.socket.snapshot(1, 0, { full: true });
  environment.socket.event(1, 8);
  environment.socket.drop();
  environment.advance(500);
  assert.equal(environment.socket.url, "ws://server/rooms/arena");
  assert.deepEqual(environment.socket.subprotocols, ["ringcast.v1", "ringcast.resume.Cv8-.8"]);
  environment.socket.welcome({
    resumeToken: Uint8Array.of(1),
    resumed: true,
    eventsComplete: true,
    eventSequence: 1n,
    eventPosition: 8n,
  });
  environment.socket.event(2, 9);
  environment.socket.snapshot(3);
  assert.deepEqual(
    events.map((event) => event.sequence),
    [1, 2],
  );
  assert.deepEqual(
    snapshots.map((snapshot) => snapshot.full),
    [true, false],
  );
  environment.socket.drop();
  environment.advance(1_000);
  assert.equal(environment.socket.subprotocols[1], "ringcast.resume.AQ.9");
});

test("says nothing of events while it has no state that they go on from", () => {
  const { environment } = setUpOpen({ resumeToken: token, eventPosition: 5n });
  environment.socket.event(1, 6);
  environment.socket.drop();
  environment.advance(500);
  assert.equal(environment.socket.subprotocols[1], "ringcast.resume.Cv8-");
});

test("keeps its token through attempts that bring no welcome", () => {
  const { environment } = setUpOpen({ resumeToken: token });
  environment.socket.drop();
  environment.advance(500);
  environment.socket.drop();
  environment.advance(1_000);
  environment.socket.open();
  environment.socket.drop();
  environment.advance(2_000);
  assert.equal(environment.sockets.length, 4);
  assert.equal(environment.socket.subprotocols[1], "ringcast.resume.Cv8-");
});

test("tries again more often while its place is kept, and backs off when it is not", () => {
  const { environment, states } = setUpOpen({ resumeToken: token, resumeMs: 10_000 });
  environment.randomValue = 1;
  const delays: number[] = [];
  for (let attempt = 0; attempt < 14; attempt++) {
    environment.socket.drop();
    const state = states.at(-1);
    if (state?.phase !== "waiting") return assert.fail();
    delays.push(state.delayMs);
    environment.advance(state.delayMs);
  }
  const lastWithin = delays.findIndex(
    (_, index) => delays.slice(0, index + 1).reduce((sum, delay) => sum + delay, 0) > 10_000,
  );
  assert.ok(lastWithin >= 7);
  assert.ok(Math.max(...delays.slice(0, lastWithin)) <= 2_500);
  assert.equal(delays.at(-1), 15_000);
});

test("tries again at once when the network is back", () => {
  const { environment } = setUpOpen({ resumeToken: token });
  environment.socket.drop();
  environment.comeOnline();
  assert.equal(environment.sockets.length, 2);
  assert.equal(environment.socket.subprotocols.length, 2);
  environment.advance(1_000);
  assert.equal(environment.sockets.length, 2);
});

test("acknowledges nothing of the session before", () => {
  const { environment } = setUpOpen({ resumeToken: token });
  environment.socket.snapshot(50);
  environment.socket.drop();
  environment.advance(500);
  environment.socket.welcome({ resumeToken: token, resumed: true });
  assert.equal(environment.socket.takeSent()[0]?.newestTickSeen, 0n);
});

test("begins as a new member after close, and after a final code", () => {
  const { client, environment } = setUpOpen({ resumeToken: token });
  client.close();
  client.connect();
  assert.equal(environment.socket.subprotocols.length, 1);
  environment.socket.welcome({ resumeToken: token });
  environment.socket.drop({ code: 1008 });
  client.connect();
  assert.equal(environment.socket.subprotocols.length, 1);
});

for (const [status, subprotocol, reason] of [
  [404, undefined, "there is no such room"],
  [403, undefined, "pages from here may not connect"],
  [426, "none", "the room does not speak ringcast.v1"],
] as const) {
  test(`gives up where a plain request is answered with ${status}`, async () => {
    const { environment, states } = setUp();
    environment.roomAnswer = { status, subprotocol };
    environment.socket.drop();
    await Promise.resolve();
    await Promise.resolve();
    assert.deepEqual(states.at(-1), { phase: "closed", closure: { code: 1006, reason } });
    environment.advance(60_000);
    assert.equal(environment.sockets.length, 1);
  });
}

test("goes on trying where the server says nothing final, or the connection was there", async () => {
  const { environment, states } = setUp();
  const answers = [
    { status: 503, subprotocol: undefined },
    { status: 426, subprotocol: undefined },
    { status: 426, subprotocol: "ringcast.v1" },
  ];
  for (const answer of answers) {
    environment.roomAnswer = answer;
    environment.socket.drop();
    await Promise.resolve();
    await Promise.resolve();
    assert.equal(states.at(-1)?.phase, "waiting");
    environment.advance(2_000);
  }
  environment.roomAnswer = { status: 404, subprotocol: undefined };
  environment.socket.open();
  environment.socket.drop();
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(states.at(-1)?.phase, "waiting");
});

test("backs off exponentially up to a limit, half of it by chance", () => {
  const { environment, states } = setUp();
  const delays: number[] = [];
  for (let attempt = 0; attempt < 8; attempt++) {
    environment.randomValue = attempt % 2;
    environment.socket.drop();
    const state = states.at(-1);
    assert.equal(state?.phase, "waiting");
    if (state?.phase !== "waiting") return;
    delays.push(state.delayMs);
    environment.advance(state.delayMs);
  }
  assert.deepEqual(delays, [250, 1_000, 1_000, 4_000, 4_000, 15_000, 7_500, 15_000]);
});

test("backs off further when sessions are lost as soon as they open, anew when one lasted", () => {
  const { environment, states } = setUp();
  const delayAfterLoss = () => {
    environment.socket.drop();
    const state = states.at(-1);
    return state?.phase === "waiting" ? state.delayMs : undefined;
  };
  environment.socket.welcome();
  assert.equal(delayAfterLoss(), 375);
  environment.advance(375);
  environment.socket.welcome();
  assert.equal(delayAfterLoss(), 750);
  environment.advance(750);
  environment.socket.welcome();
  for (let second = 0; second < 12; second++) {
    environment.advance(1_000);
    environment.socket.snapshot(second);
  }
  assert.equal(delayAfterLoss(), 375);
});

for (const code of [1000, 1002, 1003, 1007, 1008, 1009]) {
  test(`does not come back after ${code}`, () => {
    const { client, environment, states } = setUpOpen();
    environment.socket.drop({ code, reason: "why", wasClean: true });
    assert.deepEqual(states.at(-1), { phase: "closed", closure: { code, reason: "why" } });
    assert.equal(environment.timersPending, 0);
    client.connect();
    assert.equal(environment.sockets.length, 2);
  });
}

for (const code of [1001, 1006, 1011, 1012, 1013]) {
  test(`comes back after ${code}`, () => {
    const { environment } = setUpOpen();
    environment.socket.drop({ code });
    environment.advance(500);
    assert.equal(environment.sockets.length, 2);
  });
}

test("takes a silent connection for lost, open or not", () => {
  const { environment, states } = setUp();
  environment.advance(10_000);
  assert.equal(environment.sockets[0]?.closedWith?.code, clientCloseCode.silence);
  environment.advance(500);
  environment.socket.welcome();
  assert.equal(states.at(-1)?.phase, "open");
  environment.advance(12_500);
  assert.equal(environment.sockets[1]?.closedWith?.code, clientCloseCode.silence);
});

test("what an abandoned socket still says changes nothing", () => {
  const { client, environment, snapshots } = setUpOpen();
  const abandoned = environment.socket;
  client.close();
  client.connect();
  environment.socket.welcome();
  abandoned.snapshot(1);
  abandoned.drop();
  assert.equal(snapshots.length, 0);
  assert.equal(client.state.phase, "open");
  assert.equal(environment.sockets.length, 2);
});

test("close leaves with 1000 and leaves nothing running", () => {
  const { client, environment, states } = setUpOpen();
  client.close("bye");
  assert.deepEqual(environment.socket.closedWith, { code: 1000, reason: "bye" });
  assert.deepEqual(states.at(-1), { phase: "closed", closure: { code: 1000, reason: "bye" } });
  assert.equal(environment.timersPending, 0);
});

for (const phase of ["connecting", "open"] as const) {
  test(`close by the handler that hears of ${phase} stays closed, and leaves nothing running`, () => {
    const environment = new FakeEnvironment();
    const client = new Client({
      url: "ws://server/rooms/arena",
      environment,
      handlers: {
        onState(state) {
          if (state.phase === phase) client.close();
        },
      },
    });
    client.connect();
    environment.socket.welcome();
    assert.equal(client.state.phase, "closed");
    assert.equal(environment.timersPending, 0);
    assert.equal(environment.sockets.length, 1);
  });
}

test("close while waiting to reconnect stays closed", () => {
  const { client, environment } = setUpOpen();
  environment.socket.drop();
  client.close();
  environment.advance(60_000);
  assert.equal(environment.sockets.length, 1);
  assert.equal(client.state.phase, "closed");
});

test("counts the bytes and messages of both directions", () => {
  const { client, environment } = setUp();
  environment.socket.deliverRaw(Uint8Array.of(0xfa, 0x01, 0x00).buffer);
  assert.equal(client.traffic.bytesReceived, 3);
  assert.equal(client.traffic.messagesReceived, 1);
  environment.socket.welcome();
  assert.equal(client.traffic.messagesSent, 1);
  assert.ok(client.traffic.bytesSent > 0);
});

/** A client that fetches its tokens from what the test settles. */
function setUpWithTokens() {
  const environment = new FakeEnvironment();
  const states: ConnectionState[] = [];
  const asked: { resolve: (token: string) => void; reject: (why: Error) => void }[] = [];
  const client = new Client({
    url: "ws://server/rooms/arena",
    environment,
    handlers: { onState: (state) => states.push(state) },
    token: () => new Promise((resolve, reject) => asked.push({ resolve, reject })),
  });
  client.connect();
  return { client, environment, states, asked };
}

/** Lets what promises have settled run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a token goes beside the subprotocol", () => {
  const environment = new FakeEnvironment();
  const client = new Client({ url: "ws://server/rooms/a", environment, handlers: {}, token: "a.b.c" });
  client.connect();
  assert.deepEqual(environment.socket.subprotocols, ["ringcast.v1", "jwt.a.b.c"]);
  environment.socket.welcome({ resumeToken: Uint8Array.of(1, 2, 3) });
  environment.socket.drop();
  environment.advance(10_000);
  assert.deepEqual(environment.socket.subprotocols, [
    "ringcast.v1",
    "jwt.a.b.c",
    "ringcast.resume.AQID",
  ]);
});

test("a token is fetched before each connection, and nothing is opened without one", async () => {
  const { client, environment, states, asked } = setUpWithTokens();
  client.connect(); // does nothing: it is at it
  assert.equal(environment.sockets.length, 0);
  assert.equal(asked.length, 1);
  asked[0]!.reject(new Error("the backend is down"));
  await settled();
  assert.deepEqual(phases(states), ["connecting", "waiting"]);
  environment.advance(10_000);
  assert.equal(asked.length, 2);
  asked[1]!.resolve("second");
  await settled();
  assert.deepEqual(environment.socket.subprotocols, ["ringcast.v1", "jwt.second"]);
  assert.deepEqual(phases(states), ["connecting", "waiting", "connecting"]);
});

test("what was fetched for a connection that was given up is not used", async () => {
  const { client, environment, asked } = setUpWithTokens();
  client.close();
  asked[0]!.resolve("late");
  await settled();
  assert.equal(environment.sockets.length, 0);
  client.connect();
  asked[1]!.resolve("new");
  await settled();
  assert.deepEqual(environment.socket.subprotocols, ["ringcast.v1", "jwt.new"]);
});

test("a token is renewed in the session before it runs out, and again when that fails", async () => {
  const { environment, asked } = setUpWithTokens();
  asked[0]!.resolve("first");
  await settled();
  environment.socket.welcome();
  environment.socket.deliver({ case: "tokenTaken", value: { goodForMs: 4_000n } });
  environment.advance(2_900);
  assert.equal(asked.length, 1);
  environment.advance(200);
  assert.equal(asked.length, 2);
  asked[1]!.reject(new Error("the backend is down"));
  await settled();
  environment.advance(5_000);
  asked[2]!.resolve("second");
  environment.socket.takeSent();
  await settled();
  const sent = environment.socket.takeSent();
  assert.equal(sent.length, 1);
  assert.deepEqual(sent[0]!.message.case, "renewToken");
  assert.equal(sent[0]!.message.case === "renewToken" && sent[0]!.message.value.token, "second");
});

test("a new token that the server has not taken is followed by another", async () => {
  const { environment, asked } = setUpWithTokens();
  asked[0]!.resolve("first");
  await settled();
  environment.socket.welcome();
  environment.socket.deliver({ case: "tokenTaken", value: { goodForMs: 0n } });
  environment.advance(1_499);
  assert.equal(asked.length, 1);
  environment.advance(1);
  asked[1]!.resolve("dropped");
  await settled();
  environment.advance(5_000);
  asked[2]!.resolve("taken");
  environment.socket.takeSent();
  await settled();
  const sent = environment.socket.takeSent()[0]!.message;
  assert.equal(sent.case === "renewToken" && sent.value.token, "taken");
  environment.socket.deliver({ case: "tokenTaken", value: { goodForMs: 600_000n } });
  environment.socket.deliver({ case: "ping", value: {} });
  for (let passedMs = 0; passedMs < 400_000; passedMs += 2_000) {
    environment.advance(2_000);
    environment.socket.deliver({ case: "ping", value: {} });
  }
  assert.equal(asked.length, 3);
});

for (const [name, fetched] of [
  ["has a line's end", "a.b.c\n"],
  ["is quoted", '"a.b.c"'],
  ["is no text", { token: "a.b.c" }],
] as const) {
  test(`what was fetched as a token and ${name} is tried again later`, async () => {
    const { client, environment, states, asked } = setUpWithTokens();
    asked[0]!.resolve(fetched as string);
    await settled();
    assert.deepEqual(phases(states), ["connecting", "waiting"]);
    environment.advance(10_000);
    asked[1]!.resolve("a.b.c");
    await settled();
    environment.socket.welcome();
    assert.equal(client.state.phase, "open");
  });
}

test("a token that never comes is asked for again", async () => {
  const { client, environment, states, asked } = setUpWithTokens();
  environment.advance(9_999);
  assert.deepEqual(phases(states), ["connecting"]);
  environment.advance(1);
  assert.deepEqual(phases(states), ["connecting", "waiting"]);
  environment.advance(1_000);
  assert.equal(asked.length, 2);
  asked[0]!.resolve("late");
  await settled();
  assert.equal(environment.sockets.length, 0);
  asked[1]!.resolve("second");
  await settled();
  assert.deepEqual(environment.socket.subprotocols, ["ringcast.v1", "jwt.second"]);
  client.close();
  assert.equal(environment.timersPending, 0);
});

test("an address or a fixed token that no WebSocket takes ends it with a reason", () => {
  for (const options of [{ url: "server/rooms/a" }, { url: "ws://server/rooms/a", token: "a b" }]) {
    const environment = new FakeEnvironment();
    const states: ConnectionState[] = [];
    const client = new Client({
      ...options,
      environment,
      handlers: { onState: (state) => states.push(state) },
    });
    client.connect();
    assert.deepEqual(phases(states), ["closed"]);
    assert.equal(environment.timersPending, 0);
  }
});

test("close by the handler that hears of connecting wins over the token that is to come", async () => {
  const environment = new FakeEnvironment();
  let asked = 0;
  const client = new Client({
    url: "ws://server/rooms/arena",
    environment,
    handlers: {
      onState: ({ phase }) => {
        if (phase === "connecting") client.close();
      },
    },
    token: () => {
      asked += 1;
      return Promise.resolve("token");
    },
  });
  client.connect();
  await settled();
  assert.equal(client.state.phase, "closed");
  assert.equal(asked, 0);
  assert.equal(environment.sockets.length, 0);
  assert.equal(environment.timersPending, 0);
});

test("a session whose token ran out is begun again with another, if another can be had", async () => {
  const { environment, states, asked } = setUpWithTokens();
  asked[0]!.resolve("first");
  await settled();
  environment.socket.welcome();
  environment.socket.drop({ code: 4401, reason: "the token has expired" });
  assert.equal(states.at(-1)!.phase, "waiting");
  environment.advance(10_000);
  assert.equal(asked.length, 2);

  const fixed = new FakeEnvironment();
  const client = new Client({ url: "ws://server/rooms/a", environment: fixed, handlers: {}, token: "t" });
  client.connect();
  fixed.socket.welcome();
  fixed.socket.drop({ code: 4401, reason: "the token has expired" });
  assert.equal(client.state.phase, "closed");
});

test("a session that was revoked or replaced is over", async () => {
  for (const code of [4403, 4409]) {
    const { client, environment, asked } = setUpWithTokens();
    asked[0]!.resolve("first");
    await settled();
    environment.socket.welcome();
    environment.socket.drop({ code, reason: "" });
    assert.equal(client.state.phase, "closed");
  }
});
