// A clock that only a test moves, timers that fire by it, and sockets whose other end the test is.
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { CloseEventLike, Environment, RoomAnswer, SocketLike } from "../client/environment";
import {
  ClientEnvelopeSchema,
  ServerEnvelopeSchema,
  WelcomeSchema,
  type ClientEnvelope,
} from "../client/gen/ringcast/v1/envelope_pb";

export class FakeSocket implements SocketLike {
  binaryType = "blob";
  onopen: SocketLike["onopen"] = null;
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  onerror: SocketLike["onerror"] = null;
  readonly sent: ClientEnvelope[] = [];
  closedWith: { code: number | undefined; reason: string | undefined } | undefined;

  constructor(
    readonly url: string,
    readonly subprotocols: string[],
  ) {}

  send(data: Uint8Array): void {
    this.sent.push(fromBinary(ClientEnvelopeSchema, data));
  }

  close(code?: number, reason?: string): void {
    this.closedWith = { code, reason };
  }

  /** The server sends an envelope. */
  deliver(message: NonNullable<MessageInitShape<typeof ServerEnvelopeSchema>["message"]>): void {
    this.deliverEnvelope({ message });
  }

  deliverEnvelope(fields: MessageInitShape<typeof ServerEnvelopeSchema>): void {
    const bytes = toBinary(ServerEnvelopeSchema, create(ServerEnvelopeSchema, fields));
    this.deliverRaw(bytes.slice().buffer);
  }

  deliverRaw(data: unknown): void {
    this.onmessage?.({ data });
  }

  /** The server takes the connection. */
  open(): void {
    this.onopen?.(undefined as never);
  }

  welcome(fields: MessageInitShape<typeof WelcomeSchema> = {}): void {
    this.open();
    this.deliver({
      case: "welcome",
      value: { room: "arena", memberId: 7, rateHz: 60, acknowledgeEveryTicks: 6, ...fields },
    });
  }

  snapshot(tick: number, serverTimeMs = 0, kind: { stream?: number; full?: boolean } = {}): void {
    this.deliver({
      case: "snapshot",
      value: {
        tick: BigInt(tick),
        serverTimeUnixNs: BigInt(serverTimeMs) * 1_000_000n,
        payload: Uint8Array.of(tick % 256),
        ...kind,
      },
    });
  }

  /** `dueMs`: of its tick, where the server tells it. */
  replicated(frame: Uint8Array, dueMs?: number): void {
    this.replicatedTogether([frame], dueMs === undefined ? [] : [dueMs]);
  }

  /** Frames of several ticks in one message; `dueMs` of none or of each. */
  replicatedTogether(frames: Uint8Array[], dueMs: number[] = []): void {
    this.deliverEnvelope({
      replicated: frames,
      replicatedTimeUnixNs: dueMs.map((ms) => BigInt(ms) * 1_000_000n),
    });
  }

  event(sequence: number, position = sequence): void {
    this.deliver({
      case: "event",
      value: { sequence: BigInt(sequence), tick: 1n, position: BigInt(position) },
    });
  }

  /** The connection ends. */
  drop(event: Partial<CloseEventLike> = {}): void {
    this.onclose?.({ code: 1006, reason: "", wasClean: false, ...event });
  }

  /** What was sent since the last call. */
  takeSent(): ClientEnvelope[] {
    return this.sent.splice(0);
  }
}

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

export class FakeEnvironment implements Environment {
  readonly sockets: FakeSocket[] = [];
  #nowMs = 1_000;
  #timers: Timer[] = [];
  #online: (() => void) | undefined;
  randomValue = 0.5;
  /** What askRoom() says. */
  roomAnswer: RoomAnswer | undefined;

  now(): number {
    return this.#nowMs;
  }

  unixNow(): number {
    return this.#nowMs + 1_700_000_000_000;
  }

  random(): number {
    return this.randomValue;
  }

  startTimer(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  whenOnline(callback: () => void): () => void {
    this.#online = callback;
    return () => (this.#online = undefined);
  }

  /** The network is back. */
  comeOnline(): void {
    this.#online?.();
  }

  /** Throws as a browser does at what is no address of a WebSocket, or no subprotocol. */
  openSocket(url: string, subprotocols: string[]): SocketLike {
    if (!/^wss?:/.test(url)) throw new SyntaxError(`not an address: ${url}`);
    for (const offer of subprotocols) {
      if (!/^[\w!#$%&'*+.^`|~-]+$/.test(offer)) throw new SyntaxError(`not a subprotocol: ${offer}`);
    }
    const socket = new FakeSocket(url, subprotocols);
    this.sockets.push(socket);
    return socket;
  }

  askRoom(): Promise<RoomAnswer | undefined> {
    return Promise.resolve(this.roomAnswer);
  }

  get timersPending(): number {
    return this.#timers.length;
  }

  /** The socket opened last. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  }

  /** Moves the clock, firing what falls due on the way. */
  advance(milliseconds: number): void {
    const untilMs = this.#nowMs + milliseconds;
    for (;;) {
      const next = this.#timers
        .filter((timer) => timer.dueMs <= untilMs)
        .sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = next.dueMs;
      next.callback();
    }
    this.#nowMs = untilMs;
  }
}
