// The client over a real socket: npm's ws on both ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import { browserEnvironment, Client, type ConnectionState, type SocketLike } from "../client";
import { decodeState } from "../page/arena_state";
import { MockServer } from "./mock_server";

const environment = {
  ...browserEnvironment,
  openSocket: (url: string, subprotocols: string[]) =>
    new WebSocket(url, subprotocols) as unknown as SocketLike,
};

test("joins, is kept up to date by acknowledging, and comes back when the server restarts", async (context) => {
  const first = new MockServer({ bots: 3 });
  context.after(() => first.stop(0));
  const port = await first.start();
  const phases: ConnectionState["phase"][] = [];
  const fulls: boolean[] = [];
  let snapshots = 0;
  let events = 0;
  let wake = () => {};
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise<void>((resolve) => (wake = resolve));
  };

  const client = new Client({
    url: `ws://127.0.0.1:${port}/rooms/arena`,
    environment,
    handlers: {
      onState: ({ phase }) => (phases.push(phase), wake()),
      onEvent: () => (events++, wake()),
      onSnapshot({ payload, full, stream }) {
        assert.equal(stream, 0);
        fulls.push(full);
        if (full) assert.ok(decodeState(payload).objects.size >= 3);
        snapshots++;
        wake();
      },
    },
  });
  context.after(() => client.close());
  client.connect();
  // Several times what comes unacknowledged.
  await until(() => snapshots >= 90 && events > 0 && client.roundTripMs !== undefined);

  assert.deepEqual([fulls[0], fulls.lastIndexOf(true)], [true, 0]);

  await first.stop(20);
  await until(() => client.state.phase === "waiting");
  assert.equal(client.state.phase === "waiting" && client.state.delayMs, 20);
  const second = new MockServer({ bots: 3, port });
  context.after(() => second.stop(0));
  await second.start();
  const before = snapshots;
  await until(() => snapshots > before + 30);
  assert.ok(phases.filter((phase) => phase === "open").length >= 2);
});
