// A member of a room: one WebSocket at a time, opened again when it is lost. Received messages are
// checked for order, acknowledged, and handed to the handlers; everything that takes time or chance
// comes from the environment.
import { AcknowledgementPolicy } from "./acknowledgement";
import { ClockSync } from "./clock_sync";
import {
  browserEnvironment,
  type CloseEventLike,
  type Environment,
  type RoomAnswer,
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
import { ReplicatedFrames } from "./replicated_frames";
import type { ReplicationReader } from "./replication";

export const subprotocol = "ringcast.v1";
/** An offer that begins so says what a client that comes back has to say. */
const resumeOffer = "ringcast.resume.";
/** Likewise: a JSON Web Token follows. */
const tokenOffer = "jwt.";

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
  /**
   * The full state, of all streams: whatever others leave out. Comes first, if the simulation has
   * one, unless the session goes on from where the one before was lost.
   */
  readonly full: boolean;
  /** Ticks between the snapshot of its stream before and this one of which none arrived. */
  readonly ticksSkipped: number;
  /** The simulation's own. */
  readonly payload: Uint8Array;
}

/**
 * A state transition. They come in order and none is missing, from welcome to welcome and beyond one
 * that says `eventsComplete`.
 */
export interface RoomEvent {
  /** Consecutive for the events to everyone in the room; 0 for one to this member, a group or a place. */
  readonly sequence: number;
  readonly tick: number;
  readonly payload: Uint8Array;
}

/**
 * What this client sees of a replicated room, after one tick. Where the room sends several ticks together
 * each is handed over by itself, the oldest first, with the same `receivedAtMs`.
 */
export interface ReplicatedFrame {
  /** It has read the frame: what entered, changed and left is there until the next. */
  readonly reader: ReplicationReader;
  readonly tick: number;
  /** When the tick was due by the server's clock, unix milliseconds. */
  readonly serverTimeMs: number;
  /** Environment.now() when it arrived. */
  readonly receivedAtMs: number;
  /** Since then until its arrival here; undefined until the clocks are compared. */
  readonly ageMs: number | undefined;
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
  /**
   * Of a replicated room, each frame that was read: one whose digest differs as well. What can't be
   * read, or differs, is asked for anew by the client itself.
   */
  onFrame?(frame: ReplicatedFrame): void;
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
  /**
   * Where the server asks for one: a JSON Web Token, or what fetches one. The latter is asked before
   * each connection, and again before the token of a session runs out: a session goes on with the
   * new one. When it fails, the client tries again later.
   */
  readonly token?: string | (() => Promise<string>);
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
// The server's own: the token has run out, and another one will do.
const tokenExpiredCode = 4401;
// A token is renewed when so much of its time is over, and tried again so often until it is taken.
const renewAfter = 0.75;
const renewRetryMs = 5_000;
// The server looks at one a second: however short a token is good, it is not renewed sooner.
const renewMinMs = 1_500;
const timerMaxMs = 2 ** 31 - 1;
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
// What another request would be answered with as well: there is no such room, or not for us.
const finalStatuses: ReadonlyMap<number, string> = new Map([
  [403, "pages from here may not connect"],
  [404, "there is no such room"],
]);

/** Why asking again is no use; undefined when it may be. */
function whyFinal({ status, subprotocol: spoken }: RoomAnswer): string | undefined {
  if (spoken !== undefined && spoken !== subprotocol) return `the room does not speak ${subprotocol}`;
  return finalStatuses.get(status);
}

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
  #cancelOverdue: (() => void) | undefined;
  #cancelRenewal: (() => void) | undefined;
  #cancelFetch: (() => void) | undefined;
  /** Another one each time that what was under way is given up. */
  #attempt = 0;

  // Of the member, over all its sessions.
  #resumeToken: Uint8Array = new Uint8Array();
  #lastSequence = 0;
  #lastPosition = 0;
  /** What events go on from is here. */
  #hasState = false;
  /** How long the server keeps the place of a lost connection, and since when it has been lost. */
  #keptForMs = 0;
  #lostAtMs: number | undefined;

  // Of the session.
  #connected = false;
  #clock = new ClockSync();
  #acknowledgement = new AcknowledgementPolicy(1, 0);
  /** Of a replicated room. */
  #replication: ReplicatedFrames | undefined;
  #newestTick = noTick;
  #newestTicks: number[] = noTicks(); // by stream
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
    if (this.#socket !== undefined || this.#state.phase === "connecting") return;
    this.#cancelTimers();
    this.#open();
  }

  /** Leaves the room with 1000. The state is `closed` when this returns. */
  close(reason = ""): void {
    this.#cancelTimers();
    this.#forgetMember();
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
    const { token } = this.#options;
    if (typeof token !== "function") {
      this.#openWith(token);
      return;
    }
    const attempt = this.#attempt;
    this.#setState({ phase: "connecting" });
    if (this.#attempt !== attempt) return; // the handler has left
    this.#withToken(
      token,
      (fetched) => this.#openWith(fetched),
      () => this.#retry({ code: 1006, reason: "there was no token to connect with" }),
    );
  }

  /**
   * Calls one of the two unless the connection that it is for has been given up meanwhile: `failed`
   * also when nothing has come for as long as a connection may be silent.
   */
  #withToken(
    fetchToken: () => Promise<string>,
    fetched: (token: string) => void,
    failed: () => void,
  ): void {
    const settle = (act: () => void) => {
      if (this.#cancelFetch !== cancel) return;
      cancel();
      this.#cancelFetch = undefined;
      act();
    };
    this.#cancelFetch?.();
    const cancel = this.#environment.startTimer(this.#silenceMaxMs, () => settle(failed));
    this.#cancelFetch = cancel;
    // What it throws at once is a failure as well, and so is what can't be a token.
    new Promise<unknown>((resolve) => resolve(fetchToken())).then(
      (token) => settle(() => (mayBeToken(token) ? fetched(token) : failed())),
      () => settle(failed),
    );
  }

  #openWith(token: string | undefined): void {
    this.#clock = new ClockSync();
    this.#newestTick = noTick;
    this.#connected = false;
    this.#newestTicks = noTicks();
    this.#pingsSent = 0;
    this.#delayHintMs = undefined;
    this.#receivedAtMs = this.#environment.now();

    let socket: SocketLike;
    try {
      socket = this.#environment.openSocket(this.#options.url, this.#offers(token));
    } catch {
      // The address, or a fixed token: another attempt would end in the same way.
      this.#end({ code: 1006, reason: "no WebSocket can be opened with this address and token" });
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    // A socket that was abandoned may still call back; it is no longer ours.
    const current = () => this.#socket === socket;
    socket.onerror = () => {}; // onclose follows, and says more
    socket.onopen = () => {
      if (current()) this.#connected = true;
    };
    socket.onmessage = ({ data }) => {
      if (current()) this.#receive(data);
    };
    socket.onclose = (event) => {
      if (current()) this.#lost(event);
    };
    this.#schedulePing(this.#silenceMaxMs);
    if (this.#state.phase !== "connecting") this.#setState({ phase: "connecting" });
  }

  /** Where a token is neither logged by proxies nor kept from scripts, as a header would be. */
  #offers(token: string | undefined): string[] {
    const offers = [subprotocol];
    if (token !== undefined) offers.push(tokenOffer + token);
    if (this.#resumeToken.length === 0) return offers;
    const seen = this.#hasState ? `.${this.#lastPosition}` : "";
    offers.push(`${resumeOffer}${base64url(this.#resumeToken)}${seen}`);
    return offers;
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
      case "replicated":
        this.#replicated(message);
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
        break;
      case "tokenTaken":
        this.#scheduleRenewal(Math.max(message.goodForMs * renewAfter, renewMinMs));
        break;
      case "unknown":
        break;
    }
  }

  #welcomed(welcome: Welcome): void {
    this.#openedAtMs = this.#receivedAtMs;
    this.#resumeToken = welcome.resumeToken;
    this.#lastSequence = welcome.eventSequence;
    this.#lastPosition = welcome.eventPosition;
    this.#hasState = welcome.eventsComplete;
    this.#keptForMs = welcome.resumeToken.length === 0 ? 0 : welcome.resumeMs;
    this.#lostAtMs = undefined;
    const periodMs = 1000 / Math.max(1, welcome.rateHz);
    this.#acknowledgement = new AcknowledgementPolicy(welcome.acknowledgeEveryTicks, periodMs);
    if (!this.#beginReplication(welcome.replicationSchema, periodMs)) return;
    this.#setState({ phase: "open", welcome });
    if (this.#state.phase === "open") this.#beat(); // the handler may have left
  }

  #scheduleRenewal(delayMs: number): void {
    this.#cancelRenewal?.();
    this.#cancelRenewal = undefined;
    const { token } = this.#options;
    if (typeof token !== "function") return;
    this.#cancelRenewal = this.#environment.startTimer(Math.min(delayMs, timerMaxMs), () => {
      this.#withToken(
        token,
        (fetched) => {
          if (this.#state.phase !== "open") return;
          this.#send({ kind: "renewToken", token: fetched });
          this.#scheduleRenewal(renewRetryMs); // unless tokenTaken comes
        },
        () => this.#scheduleRenewal(renewRetryMs),
      );
    });
  }

  #snapshot(message: ServerMessage & { kind: "snapshot" }): void {
    const { tick, serverTimeMs, stream, full, payload } = message;
    const before = this.#newestTicks[stream] ?? noTick;
    // Two of one tick: what was said to this member replaces what was said to everyone.
    if (tick < before && !full) return;
    const ticksSkipped = full || before === noTick ? 0 : Math.max(0, tick - before - 1);
    if (full) this.#newestTicks.fill(tick);
    else this.#newestTicks[stream] = tick;
    this.#seen(tick, serverTimeMs);
    this.#options.handlers.onSnapshot?.({
      tick,
      serverTimeMs,
      receivedAtMs: this.#receivedAtMs,
      ageMs: this.#ageMs(serverTimeMs),
      stream,
      full,
      ticksSkipped,
      payload,
    });
  }

  /** False when the schema can't be read: the session is over. */
  #beginReplication(schema: Uint8Array, periodMs: number): boolean {
    this.#replication = undefined;
    if (schema.length === 0) return true;
    try {
      this.#replication = new ReplicatedFrames(schema, periodMs);
      return true;
    } catch {
      this.#giveUp(clientCloseCode.malformedMessage, "not a schema of replication");
      return false;
    }
  }

  #replicated({ frames }: ServerMessage & { kind: "replicated" }): void {
    const replication = this.#replication;
    if (replication === undefined) {
      this.#giveUp(clientCloseCode.malformedMessage, "a frame of a room that has no schema");
      return;
    }
    const { reader } = replication;
    let newestMs: number | undefined;
    const thrown: unknown[] = [];
    for (const { bytes, dueMs } of frames) {
      const { serverTimeMs, resync } = replication.take(bytes, dueMs);
      if (resync !== undefined) this.#send({ kind: "resync", ...resync });
      if (serverTimeMs === undefined) continue;
      newestMs = serverTimeMs;
      // What is sent by the handler acknowledges it.
      this.#newestTick = Math.max(this.#newestTick, reader.tick);
      try {
        this.#options.handlers.onFrame?.({
          reader,
          tick: reader.tick,
          serverTimeMs,
          receivedAtMs: this.#receivedAtMs,
          ageMs: this.#ageMs(serverTimeMs),
        });
      } catch (error) {
        thrown.push(error); // the frames behind it are read all the same
      }
      if (this.#state.phase !== "open") break; // the handler may have left
    }
    // They came at once: the newest stands for all.
    if (newestMs !== undefined && this.#state.phase === "open") this.#seen(reader.tick, newestMs);
    if (thrown.length > 0) throw thrown[0];
  }

  /** A snapshot or frame of `tick` has just come, which was due at `serverTimeMs`. */
  #seen(tick: number, serverTimeMs: number): void {
    this.#newestTick = Math.max(this.#newestTick, tick);
    this.#hasState = true;
    this.#acknowledgement.received(serverTimeMs, this.#receivedAtMs);
    if (this.#acknowledgement.due(tick, this.#receivedAtMs)) this.#send({ kind: "acknowledgement" });
    this.#watchForOverdue();
  }

  /** Of what has just come. */
  #ageMs(serverTimeMs: number): number | undefined {
    const serverNowMs = this.#clock.serverTimeMs(this.#receivedAtMs);
    return serverNowMs === undefined ? undefined : serverNowMs - serverTimeMs;
  }

  #event({ sequence, tick, position, payload }: ServerMessage & { kind: "event" }): void {
    if (sequence !== 0 && sequence !== this.#lastSequence + 1) {
      // What we know is no longer true; the next session is to bring the full state.
      this.#hasState = false;
      this.#giveUp(
        clientCloseCode.eventsOutOfOrder,
        `event ${sequence} after ${this.#lastSequence}`,
      );
      return;
    }
    if (sequence !== 0) this.#lastSequence = sequence;
    this.#lastPosition = position;
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

  /** One timer for many snapshots: when it is up it is seen whether any has come since. */
  #watchForOverdue(): void {
    const dueAtMs = this.#acknowledgement.overdueAtMs;
    if (this.#cancelOverdue !== undefined || dueAtMs === Infinity) return;
    const delayMs = Math.max(0, dueAtMs - this.#environment.now());
    this.#cancelOverdue = this.#environment.startTimer(delayMs, () => {
      this.#cancelOverdue = undefined;
      if (this.#environment.now() >= this.#acknowledgement.overdueAtMs) this.#sayOverdue();
      this.#watchForOverdue();
    });
  }

  #sayOverdue(): void {
    const known = this.#acknowledgement.hasSaid(this.#newestTick);
    if (!known) this.#send({ kind: "acknowledgement" });
    this.#send({ kind: "acknowledgement" });
    this.#acknowledgement.tellOverdue();
  }

  #schedulePing(delayMs: number): void {
    this.#cancelPing?.();
    this.#cancelPing = this.#environment.startTimer(delayMs, () => this.#beat());
  }

  /** This side ends the session, and tries another. */
  #giveUp(code: number, reason: string): void {
    const welcomed = this.#state.phase === "open";
    this.#abandonSocket(code, reason);
    // What begins with something else than a welcome speaks another protocol, and will again.
    if (code === clientCloseCode.malformedMessage && !welcomed) {
      this.#end({ code, reason });
    } else {
      this.#retry({ code, reason });
    }
  }

  #lost({ code, reason }: CloseEventLike): void {
    this.#socket = undefined;
    const another = code === tokenExpiredCode && typeof this.#options.token === "function";
    if (finalCodes.has(code) || (code >= firstCodeOfSimulations && !another)) {
      this.#end({ code, reason });
    } else {
      this.#retry({ code, reason });
      if (!this.#connected) void this.#askWhy();
    }
  }

  /** A WebSocket that never opened does not say why: a plain request may. */
  async #askWhy(): Promise<void> {
    const asked = this.#state;
    const answer = await this.#environment.askRoom(this.#options.url);
    const why = answer && whyFinal(answer);
    // Meanwhile it may have been closed, or have come back.
    if (why !== undefined && this.#state === asked) this.#end({ code: 1006, reason: why });
  }

  #end(closure: Closure): void {
    this.#cancelTimers();
    this.#forgetMember();
    this.#setState({ phase: "closed", closure });
  }

  #forgetMember(): void {
    this.#resumeToken = new Uint8Array();
    this.#hasState = false;
    this.#keptForMs = 0;
    this.#lostAtMs = undefined;
  }

  #retry(closure: Closure): void {
    this.#cancelTimers();
    const nowMs = this.#environment.now();
    this.#lostAtMs ??= nowMs;
    const keptMs = this.#keptForMs - (nowMs - this.#lostAtMs);
    const delayMs = this.#reconnectDelay.next(this.#delayHintMs, keptMs);
    const open = () => {
      this.#cancelRetry?.();
      this.#cancelRetry = undefined;
      this.#open();
    };
    const cancelTimer = this.#environment.startTimer(delayMs, open);
    // What the server asked for is waited for; what the network was gone for is over.
    const cancelOnline =
      this.#delayHintMs === undefined ? this.#environment.whenOnline(open) : () => {};
    this.#cancelRetry = () => {
      cancelTimer();
      cancelOnline();
    };
    this.#setState({ phase: "waiting", closure, delayMs });
  }

  #abandonSocket(code: number, reason: string): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(code, reason);
  }

  #cancelTimers(): void {
    this.#attempt += 1;
    this.#cancelRenewal?.();
    this.#cancelRenewal = undefined;
    this.#cancelFetch?.();
    this.#cancelFetch = undefined;
    this.#cancelPing?.();
    this.#cancelPing = undefined;
    this.#cancelOverdue?.();
    this.#cancelOverdue = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.#options.handlers.onState?.(state);
  }
}

/** base64url and dots (RFC 7515 section 7.1): a line's end or quotes would be no subprotocol. */
function mayBeToken(fetched: unknown): fetched is string {
  return typeof fetched === "string" && /^[\w.-]+$/.test(fetched);
}

function noTicks(): number[] {
  return new Array<number>(streams).fill(noTick);
}

const base64urlDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Without padding, whose '=' no subprotocol may have (RFC 4648 section 5, RFC 6455 section 4.1). */
function base64url(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let count = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xffff;
    for (count += 8; count >= 6; count -= 6) text += base64urlDigits[(bits >> (count - 6)) & 63];
  }
  if (count > 0) text += base64urlDigits[(bits << (6 - count)) & 63];
  return text;
}
