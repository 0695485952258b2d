// A small stand-in for the server, over npm's ws: enough of the protocol and of an arena to work on
// the page and to try the integration tests without a C++ build.
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, resolve } from "node:path";
import type { Duplex } from "node:stream";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import { ClientEnvelopeSchema, ServerEnvelopeSchema } from "../client/gen/ringcast/v1/envelope_pb";
import { MockArena } from "./mock_arena";

const rateHz = 60;
const unacknowledgedTicksMax = 15;
const subprotocol = "ringcast.v1";
const contentTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};

type ServerMessage = NonNullable<MessageInitShape<typeof ServerEnvelopeSchema>["message"]>;

interface Member {
  readonly id: number;
  readonly socket: WebSocket;
  /** 0: it has not acknowledged anything yet, and is not held to it. */
  acknowledgedTick: number;
  sentTick: number;
}

export interface MockOptions {
  readonly port?: number;
  readonly bots?: number;
  /** The built page. */
  readonly page?: string;
}

export class MockServer {
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #options: MockOptions;
  readonly #arena: MockArena;
  readonly #members = new Map<number, Member>();
  #membersSoFar = 0;
  #tick = 0;
  #eventSequence = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MockOptions = {}) {
    this.#options = options;
    this.#arena = new MockArena(options.bots ?? 50);
    this.#http = createServer((request, response) => {
      const { status, headers, body } = this.#answer(request);
      response.writeHead(status, { ...headers, connection: "close" }).end(body);
    });
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: 65_536,
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    });
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Resolves to the port. */
  async start(): Promise<number> {
    await new Promise<void>((done) => {
      this.#http.listen(this.#options.port ?? 0, "127.0.0.1", done);
    });
    const startedMs = performance.now();
    const next = () => {
      this.#step();
      const dueMs = startedMs + (this.#tick * 1000) / rateHz;
      this.#timer = setTimeout(next, dueMs - performance.now());
    };
    next();
    return (this.#http.address() as AddressInfo).port;
  }

  /** Says goodbye to everyone as a server that goes away does. */
  async stop(delayMs: number): Promise<void> {
    clearTimeout(this.#timer);
    for (const { socket } of this.#members.values()) {
      send(socket, { case: "goingAway", value: { delayMs } });
      socket.close(1001, "going away");
    }
    await new Promise((done) => this.#http.close(done));
  }

  #answer(request: IncomingMessage) {
    const plain = { "content-type": "text/plain; charset=utf-8" };
    if (request.method !== "GET" && request.method !== "HEAD") {
      return { status: 405, headers: { ...plain, allow: "GET, HEAD" }, body: "GET and HEAD only\n" };
    }
    const path = new URL(request.url ?? "/", "http://mock").pathname;
    if (path.startsWith("/rooms/")) {
      return { status: 426, headers: { ...plain, upgrade: "websocket" }, body: "upgrade\n" };
    }
    const file = path === "/" ? "index.html" : path.slice(1);
    try {
      const body = readFileSync(resolve(this.#options.page ?? "", file));
      const type = contentTypes[extname(file)] ?? "application/octet-stream";
      return { status: 200, headers: { "content-type": type }, body };
    } catch {
      return { status: 404, headers: plain, body: "no such file\n" };
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refuse = (status: string, header = "") => {
      socket.end(`HTTP/1.1 ${status}\r\n${header}Connection: close\r\nContent-Length: 0\r\n\r\n`);
    };
    const room = new URL(request.url ?? "/", "http://mock").pathname.slice("/rooms/".length);
    if (request.headers["sec-websocket-version"] !== "13") {
      refuse("426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    } else if (room !== "arena" && room !== "echo") {
      refuse("404 Not Found");
    } else {
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on("error", () => {}); // close follows
        if (room === "echo") echo(webSocket);
        else this.#join(webSocket);
      });
    }
  }

  #join(socket: WebSocket): void {
    const member = { id: ++this.#membersSoFar, socket, acknowledgedTick: 0, sentTick: 0 };
    this.#members.set(member.id, member);
    send(socket, {
      case: "welcome",
      value: {
        room: "arena",
        memberId: member.id,
        rateHz,
        tick: BigInt(this.#tick),
        serverTimeUnixNs: unixNanoseconds(),
        acknowledgeEveryTicks: 6,
        serverVersion: "mock",
        eventSequence: BigInt(this.#eventSequence),
      },
    });
    send(socket, this.#snapshot(true));
    this.#arena.join(member.id);
    socket.on("message", (data, isBinary) => this.#input(member, data, isBinary));
    socket.on("close", () => {
      this.#members.delete(member.id);
      this.#arena.leave(member.id);
    });
  }

  #input(member: Member, data: RawData, isBinary: boolean): void {
    const { id, socket } = member;
    if (!isBinary) {
      socket.close(1003, "binary messages only");
      return;
    }
    try {
      const { message, newestTickSeen } = fromBinary(ClientEnvelopeSchema, data as Buffer);
      member.acknowledgedTick = Math.max(member.acknowledgedTick, Number(newestTickSeen));
      if (message.case === "input") {
        this.#arena.input(id, message.value.payload);
      } else if (message.case === "ping") {
        const pingSentNs = message.value.sentNs;
        send(socket, {
          case: "pong",
          value: { pingSentNs, answeredUnixNs: unixNanoseconds() },
        });
      }
    } catch {
      socket.close(1007, "not a ClientEnvelope");
    }
  }

  #step(): void {
    this.#tick += 1;
    this.#arena.step(1 / rateHz);
    for (const payload of this.#arena.takeEvents()) {
      const sequence = BigInt(++this.#eventSequence);
      this.#broadcast({ case: "event", value: { sequence, tick: BigInt(this.#tick), payload } });
    }
    const snapshot = this.#snapshot();
    for (const member of this.#members.values()) {
      const { acknowledgedTick, sentTick } = member;
      const unacknowledged = acknowledgedTick === 0 ? 0 : sentTick - acknowledgedTick;
      if (unacknowledged >= unacknowledgedTicksMax) continue;
      member.sentTick = this.#tick;
      send(member.socket, snapshot);
    }
  }

  #snapshot(full = false): ServerMessage {
    return {
      case: "snapshot",
      value: {
        tick: BigInt(this.#tick),
        serverTimeUnixNs: unixNanoseconds(),
        full,
        payload: this.#arena.state(this.#members.size),
      },
    };
  }

  #broadcast(message: ServerMessage): void {
    for (const { socket } of this.#members.values()) send(socket, message);
  }
}

function echo(socket: WebSocket): void {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
}

function send(socket: WebSocket, message: ServerMessage): void {
  socket.send(toBinary(ServerEnvelopeSchema, create(ServerEnvelopeSchema, { message })));
}

function unixNanoseconds(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
