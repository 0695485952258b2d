// The client of web/client over a restart of a real server that keeps its rooms.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocket } from "ws";
import { Client, type ConnectionState, type Environment, type SocketLike } from "../../../web/client";
import { decodeEvent } from "../../../web/page/arena_state";
import { within } from "./session";

const binary = process.env["RINGCAST_BINARY"] ?? "build/release/ringcast";

const environment: Environment = {
  now: () => performance.now(),
  unixNow: () => Date.now(),
  random: () => Math.random(),
  whenOnline: () => () => {},
  startTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  openSocket: (url, subprotocols) => new WebSocket(url, subprotocols) as unknown as SocketLike,
  async askRoom(url) {
    const { status, headers } = await fetch(url.replace(/^ws/, "http"));
    return { status, subprotocol: headers.get("Ringcast-Subprotocol") ?? undefined };
  },
};

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

test("a page's client comes back to its member and its object after a restart", async () => {
  const stateDirectory = mkdtempSync(join(tmpdir(), "ringcast-"));
  const port = await freePort();
  const serve = (): ChildProcess =>
    spawn(
      binary,
      [
        ...["serve", "--listen", `127.0.0.1:${port}`, "--admin", "off"],
        ...["--state-dir", stateDirectory, "--room", "arena=arena,replicated=0"],
      ],
      { stdio: "ignore" },
    );
  /** Of each session, as the client learns of it. */
  const members: number[] = [];
  const ownObjects: number[] = [];
  const phases: ConnectionState["phase"][] = [];
  let told: (() => void) | undefined;
  const until = async (condition: () => boolean, what: string) => {
    const waiting = (async () => {
      while (!condition()) await new Promise<void>((resolve) => (told = resolve));
    })();
    await within(waiting, what);
  };
  const client = new Client({
    url: `ws://127.0.0.1:${port}/rooms/arena`,
    environment,
    handlers: {
      onState(state) {
        phases.push(state.phase);
        if (state.phase === "open") members.push(state.welcome.memberId);
        told?.();
      },
      onEvent({ payload }) {
        const event = decodeEvent(payload);
        if (event.case !== "created" || event.value.memberId !== members.at(-1)) return;
        ownObjects.push(event.value.object?.id ?? 0);
        told?.();
      },
    },
  });

  let server = serve();
  try {
    client.connect();
    await until(() => ownObjects.length === 1, "the client has an object");
    server.kill("SIGTERM");
    await within(once(server, "exit"), "the server ends");
    server = serve();
    await until(() => ownObjects.length === 2, "the client is back at its object");
    assert.equal(members[1], members[0]);
    assert.equal(ownObjects[1], ownObjects[0]);
    assert.equal(phases.filter((phase) => phase === "open").length, 2);
    assert.ok(!phases.includes("closed"));
  } finally {
    client.close();
    server.kill("SIGTERM");
    if (server.exitCode === null) await within(once(server, "exit"), "the server ends");
    rmSync(stateDirectory, { recursive: true });
  }
});
