// A member of a room: one WebSocket at a time, opened again when it is lost. Received messages are
// checked for order, acknowledged, and handed to the handlers; everything that takes time or chance
// comes from the environment.
import { AcknowledgementPolicy } from "./acknowledgement";
import { ClockSync } from "./clock_sync";
import {
  browserEnvironment,
  type CloseEventLike,
  type Environment,
  type SocketLike,
} from "./environment";
import {
  decodeServerMessage,
  encodeClientMessage,
  type ClientMessage,
  type ServerErrorCode,
  type ServerMessage,
  type Welcome,
} from "./messages";
import { ReconnectDelay, type ReconnectLimits } from "./reconnect_delay";

export const subprotocol = "ringcast.v1";

/** State at one tick. */
export interface Snapshot {
  readonly tick: number;
  /** The server's clock at the start of the tick, unix milliseconds. */
  readonly serverTimeMs: number;
  /** Environment.now() when it arrived. */
  readonly receivedAtMs: number;
  /** From the tick's start to its arrival here; undefined until the clocks are compared. */
  readonly ageMs: number | undefined;
  /** What it is of: a newer one replaces an older one of the same stream. 0 for a full state. */
  readonly stream: number;
  /** The full state, of all streams: whatever others leave out. Comes first, if the simulation has one. */
  readonly full: boolean;
  /** Ticks between the snapshot of its stream before and this one of which none arrived. */
  readonly ticksSkipped: number;
  /** The simulation's own. */
  readonly payload: Uint8Array;
}

/** A state transition. Within a session they come in order, and none is missing. */
export interface RoomEvent {
  /** Consecutive for the events to everyone in the room; 0 for one to this member alone. */
  readonly sequence: number;
  readonly tick: number;
  readonly payload: Uint8Array;
}

/** Why a connection ended. */
export interface Closure {
  /** RFC 6455 section 7.4; 1006 for a connection that just ended, or could not be opened. */
  readonly code: number;
  readonly reason: string;
}

export type ConnectionState =
  | { readonly phase: "connecting" }
  /** The welcome is here. */
  | { readonly phase: "open"; readonly welcome: Welcome }
  /** Lost; connecting again in `delayMs`. */
  | { readonly phase: "waiting"; readonly closure: Closure; readonly delayMs: number }
  /** Ended for good: connect() begins anew. */
  | { readonly phase: "closed"; readonly closure: Closure };

/** Called from the socket's and timers' callbacks, in the order of what happened. */
export interface ClientHandlers {
  onState?(state: ConnectionState): void;
  onSnapshot?(snapshot: Snapshot): void;
  onEvent?(event: RoomEvent): void;
  /** The server dropped something of ours; the session goes on. */
  onServerError?(code: ServerErrorCode, text: string): void;
}

export interface ClientOptions {
  /** ws://HOST/rooms/NAME or wss://. */
  readonly url: string;
  readonly handlers: ClientHandlers;
  readonly environment?: Environment;
  readonly reconnect?: ReconnectLimits;
  /** A connection that brings nothing for so long is lost. */
  readonly silenceMaxMs?: number;
}

/** Since the client was made, over all its sessions. Bytes are those of messages. */
export interface Traffic {
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
}

/** What this client closes with when it is the one to end a session (RFC 6455 section 7.4.2). */
export const clientCloseCode = {
  normal: 1000,
  malformedMessage: 4000,
  eventsOutOfOrder: 4001,
  silence: 4002,
} as const;

// The server ended the session on purpose (1000), or would again for what we are or do.
const finalCodes: ReadonlySet<number> = new Set([1000, 1002, 1003, 1007, 1008, 1009]);
// The room's simulation has codes of its own for those whom it does not let in.
const firstCodeOfSimulations = 4000;
const streams = 4;

const defaultReconnect: ReconnectLimits = { firstMs: 500, maxMs: 15_000 };
const defaultSilenceMaxMs = 10_000;
// Clocks are compared soon after the welcome, a few times so that one exchange is undisturbed, and
// then as often as drift asks for.
const firstPings = 5;
const firstPingIntervalMs = 200;
const pingIntervalMs = 2_000;
// A session that lasted so long was a success: backoff starts over.
const lastedMs = 10_000;

const noTick = -1;

export class Client {
  readonly #options: ClientOptions;
  readonly #environment: Environment;
  readonly #reconnectDelay: ReconnectDelay;
  readonly #traffic = { bytesReceived: 0, bytesSent: 0, messagesReceived: 0, messagesSent: 0 };
  readonly #silenceMaxMs: number;

  #state: ConnectionState = { phase: "closed", closure: { code: 1000, reason: "" } };
  #socket: SocketLike | undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelPing: (() => void) | undefined;
  #resumeToken: Uint8Array = new Uint8Array();

  // Of the session.
  #clock = new ClockSync();
  #acknowledgement = new AcknowledgementPolicy(1, 0);
  #newestTick = noTick;
  #newestTicks: number[] = noTicks(); // by stream
  #lastSequence = 0;
  #pingsSent = 0;
  #delayHintMs: number | undefined;
  #openedAtMs = 0;
  #receivedAtMs = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#environment = options.environment ?? browserEnvironment;
    this.#silenceMaxMs = options.silenceMaxMs ?? defaultSilenceMaxMs;
    this.#reconnectDelay = new ReconnectDelay(options.reconnect ?? defaultReconnect, () =>
      this.#environment.random(),
    );
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get traffic(): Traffic {
    return this.#traffic;
  }

  /** The newest tick seen in this session; undefined before the first snapshot. */
  get newestTick(): number | undefined {
    return this.#newestTick === noTick ? undefined : this.#newestTick;
  }

  /** The shortest recent round trip to the server; undefined until measured. */
  get roundTripMs(): number | undefined {
    return this.#clock.roundTripMs;
  }

  /** The server's unix time at `localMs` (Environment.now()); undefined until measured. */
  serverTimeMs(localMs: number): number | undefined {
    return this.#clock.serverTimeMs(localMs);
  }

  /** Connects, and stays connected until close(). Does nothing when it is already at it. */
  connect(): void {
    if (this.#socket !== undefined) return;
    this.#cancelTimers();
    this.#open();
  }

  /** Leaves the room with 1000. The state is `closed` when this returns. */
  close(reason = ""): void {
    this.#cancelTimers();
    this.#abandonSocket(clientCloseCode.normal, reason);
    if (this.#state.phase !== "closed") {
      this.#setState({ phase: "closed", closure: { code: clientCloseCode.normal, reason } });
    }
  }

  /** Sends an input to the simulation; false, and nothing sent, while not open. */
  sendInput(payload: Uint8Array): boolean {
    if (this.#state.phase !== "open") return false;
    this.#send({ kind: "input", payload });
    return true;
  }

  #open(): void {
    this.#clock = new ClockSync();
    this.#newestTick = noTick;
    this.#newestTicks = noTicks();
    this.#lastSequence = 0;
    this.#pingsSent = 0;
    this.#delayHintMs = undefined;
    this.#receivedAtMs = this.#environment.now();

    const socket = this.#environment.openSocket(this.#url(), subprotocol);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    // A socket that was abandoned may still call back; it is no longer ours.
    const current = () => this.#socket === socket;
    socket.onerror = () => {}; // onclose follows, and says more
    socket.onmessage = ({ data }) => {
      if (current()) this.#receive(data);
    };
    socket.onclose = (event) => {
      if (current()) this.#lost(event);
    };
    this.#schedulePing(this.#silenceMaxMs);
    this.#setState({ phase: "connecting" });
  }

  #url(): string {
    if (this.#resumeToken.length === 0) return this.#options.url;
    const separator = this.#options.url.includes("?") ? "&" : "?";
    return `${this.#options.url}${separator}resume=${hexadecimal(this.#resumeToken)}`;
  }

  #receive(data: unknown): void {
    this.#receivedAtMs = this.#environment.now();
    this.#traffic.messagesReceived += 1;
    if (!(data instanceof ArrayBuffer)) {
      this.#giveUp(clientCloseCode.malformedMessage, "not a binary message");
      return;
    }
    this.#traffic.bytesReceived += data.byteLength;
    let message: ServerMessage;
    try {
      message = decodeServerMessage(new Uint8Array(data));
    } catch {
      this.#giveUp(clientCloseCode.malformedMessage, "not a ServerEnvelope");
      return;
    }
    this.#dispatch(message);
  }

  #dispatch(message: ServerMessage): void {
    switch (message.kind) {
      case "welcome":
        this.#welcomed(message);
        break;
      case "snapshot":
        this.#snapshot(message);
        break;
      case "event":
        this.#event(message);
        break;
      case "ping":
        this.#send({
          kind: "pong",
          pingSentNs: message.sentNs,
          answeredUnixMs: this.#environment.unixNow(),
        });
        break;
      case "pong":
        this.#clock.answered(message.pingSentMs, message.answeredUnixMs, this.#receivedAtMs);
        break;
      case "error":
        this.#options.handlers.onServerError?.(message.code, message.text);
        break;
      case "goingAway":
        this.#delayHintMs = message.delayMs;
        this.#resumeToken = message.resumeToken;
        break;
      case "unknown":
        break;
    }
  }

  #welcomed(welcome: Welcome): void {
    this.#openedAtMs = this.#receivedAtMs;
    this.#resumeToken = new Uint8Array();
    this.#lastSequence = welcome.eventSequence;
    this.#acknowledgement = new AcknowledgementPolicy(
      welcome.acknowledgeEveryTicks,
      1000 / Math.max(1, welcome.rateHz),
    );
    this.#setState({ phase: "open", welcome });
    if (this.#state.phase === "open") this.#beat(); // the handler may have left
  }

  #snapshot(message: ServerMessage & { kind: "snapshot" }): void {
    const { tick, serverTimeMs, stream, full, payload } = message;
    const before = this.#newestTicks[stream] ?? noTick;
    // Two of one tick: what was said to this member replaces what was said to everyone.
    if (tick < before && !full) return;
    const ticksSkipped = full || before === noTick ? 0 : Math.max(0, tick - before - 1);
    if (full) this.#newestTicks.fill(tick);
    else this.#newestTicks[stream] = tick;
    this.#newestTick = Math.max(this.#newestTick, tick);
    const receivedAtMs = this.#receivedAtMs;
    if (this.#acknowledgement.due(tick, receivedAtMs)) this.#send({ kind: "acknowledgement" });
    const serverNowMs = this.#clock.serverTimeMs(receivedAtMs);
    this.#options.handlers.onSnapshot?.({
      tick,
      serverTimeMs,
      receivedAtMs,
      ageMs: serverNowMs === undefined ? undefined : serverNowMs - serverTimeMs,
      stream,
      full,
      ticksSkipped,
      payload,
    });
  }

  #event({ sequence, tick, payload }: ServerMessage & { kind: "event" }): void {
    if (sequence !== 0 && sequence !== this.#lastSequence + 1) {
      // What we know is no longer true; a new session brings the full state.
      this.#giveUp(
        clientCloseCode.eventsOutOfOrder,
        `event ${sequence} after ${this.#lastSequence}`,
      );
      return;
    }
    if (sequence !== 0) this.#lastSequence = sequence;
    this.#options.handlers.onEvent?.({ sequence, tick, payload });
  }

  #send(message: ClientMessage): void {
    const tick = Math.max(0, this.#newestTick);
    const bytes = encodeClientMessage(tick, message);
    this.#socket?.send(bytes);
    this.#traffic.bytesSent += bytes.byteLength;
    this.#traffic.messagesSent += 1;
    this.#acknowledgement.sent(tick, this.#environment.now());
  }

  /** The regular work of a session: is the server there, and what does its clock say? */
  #beat(): void {
    const now = this.#environment.now();
    if (now - this.#receivedAtMs >= this.#silenceMaxMs) {
      this.#giveUp(clientCloseCode.silence, "nothing received");
      return;
    }
    if (this.#state.phase !== "open") {
      this.#schedulePing(this.#silenceMaxMs);
      return;
    }
    if (now - this.#openedAtMs >= lastedMs) this.#reconnectDelay.reset();
    this.#send({ kind: "ping", sentMs: now });
    this.#pingsSent += 1;
    this.#schedulePing(this.#pingsSent < firstPings ? firstPingIntervalMs : pingIntervalMs);
  }

  #schedulePing(delayMs: number): void {
    this.#cancelPing?.();
    this.#cancelPing = this.#environment.startTimer(delayMs, () => this.#beat());
  }

  /** This side ends the session, and tries another. */
  #giveUp(code: number, reason: string): void {
    this.#abandonSocket(code, reason);
    this.#retry({ code, reason });
  }

  #lost({ code, reason }: CloseEventLike): void {
    this.#socket = undefined;
    if (finalCodes.has(code) || code >= firstCodeOfSimulations) {
      this.#cancelTimers();
      this.#setState({ phase: "closed", closure: { code, reason } });
    } else {
      this.#retry({ code, reason });
    }
  }

  #retry(closure: Closure): void {
    this.#cancelTimers();
    const delayMs = this.#reconnectDelay.next(this.#delayHintMs);
    this.#cancelRetry = this.#environment.startTimer(delayMs, () => {
      this.#cancelRetry = undefined;
      this.#open();
    });
    this.#setState({ phase: "waiting", closure, delayMs });
  }

  #abandonSocket(code: number, reason: string): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(code, reason);
  }

  #cancelTimers(): void {
    this.#cancelPing?.();
    this.#cancelPing = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.#options.handlers.onState?.(state);
  }
}

function noTicks(): number[] {
  return new Array<number>(streams).fill(noTick);
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
