// The envelope as plain values. Protobuf's 64-bit integers become numbers here, once: ticks are
// counts, times are milliseconds (a double holds unix milliseconds to about a quarter of a
// microsecond). Payloads stay bytes; they are the simulation's own.
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ClientEnvelopeSchema,
  Error_Code,
  ServerEnvelopeSchema,
} from "./gen/ringcast/v1/envelope_pb";

/** The first message of a session. */
export interface Welcome {
  readonly room: string;
  /** This client's own member of the room. */
  readonly memberId: number;
  readonly rateHz: number;
  /** The tick that the room was in when the session joined. */
  readonly tick: number;
  readonly serverTimeMs: number;
  readonly acknowledgeEveryTicks: number;
  readonly serverVersion: string;
  /** The sequence number of the last event to everyone that this client has, or need not have. */
  readonly eventSequence: number;
  /** What the client comes back with when it loses this connection; empty when it can't. A secret. */
  readonly resumeToken: Uint8Array;
  /** This client is the member that it was before. */
  readonly resumed: boolean;
  /** It has missed no event: what it missed follows, and no full state. */
  readonly eventsComplete: boolean;
  /** Of the last event that this client has, or need not have. */
  readonly eventPosition: number;
  /** How long the member keeps its place without a connection. */
  readonly resumeMs: number;
  /** What a replicated room's frames are read by; empty in others. */
  readonly replicationSchema: Uint8Array;
}

/** What this client sees of a replicated room after one tick. */
export interface ReplicatedMessageFrame {
  readonly bytes: Uint8Array;
  /** When the tick was due, where that is told. */
  readonly dueMs: number | undefined;
}

/** What a message of the server says. `payload` views the received bytes: nothing is copied. */
export type ServerMessage =
  | ({ readonly kind: "welcome" } & Welcome)
  | {
      readonly kind: "snapshot";
      readonly tick: number;
      readonly serverTimeMs: number;
      readonly stream: number;
      readonly full: boolean;
      readonly payload: Uint8Array;
    }
  | {
      readonly kind: "event";
      readonly sequence: number;
      readonly tick: number;
      readonly position: number;
      readonly payload: Uint8Array;
    }
  | {
      readonly kind: "replicated";
      /** Of a tick each, the oldest first. */
      readonly frames: readonly ReplicatedMessageFrame[];
    }
  | { readonly kind: "ping"; readonly sentNs: bigint }
  | { readonly kind: "pong"; readonly pingSentMs: number; readonly answeredUnixMs: number }
  | { readonly kind: "error"; readonly code: ServerErrorCode; readonly text: string }
  | { readonly kind: "goingAway"; readonly delayMs: number }
  /** The session's token is good for so long. */
  | { readonly kind: "tokenTaken"; readonly goodForMs: number }
  /** Of a later protocol than this client's; to be ignored. */
  | { readonly kind: "unknown" };

export type ServerErrorCode = "rateLimited" | "inboxFull" | "unspecified";

export type ClientMessage =
  | { readonly kind: "acknowledgement" }
  | { readonly kind: "input"; readonly payload: Uint8Array }
  | { readonly kind: "ping"; readonly sentMs: number }
  | { readonly kind: "resync"; readonly digestDiffers: boolean }
  | { readonly kind: "renewToken"; readonly token: string }
  | { readonly kind: "pong"; readonly pingSentNs: bigint; readonly answeredUnixMs: number };

/** Decodes a ServerEnvelope. Throws when the bytes are not one. */
export function decodeServerMessage(bytes: Uint8Array): ServerMessage {
  const { message, replicated, replicatedTimeUnixNs } = fromBinary(ServerEnvelopeSchema, bytes);
  switch (message.case) {
    case "welcome": {
      const { room, memberId, rateHz, acknowledgeEveryTicks, serverVersion } = message.value;
      const { resumeToken, resumed, eventsComplete, resumeMs, replicationSchema } = message.value;
      return {
        kind: "welcome",
        room,
        memberId,
        rateHz,
        tick: Number(message.value.tick),
        serverTimeMs: toMilliseconds(message.value.serverTimeUnixNs),
        acknowledgeEveryTicks,
        serverVersion,
        eventSequence: Number(message.value.eventSequence),
        resumeToken,
        resumed,
        eventsComplete,
        eventPosition: Number(message.value.eventPosition),
        resumeMs,
        replicationSchema,
      };
    }
    case "snapshot":
      return {
        kind: "snapshot",
        tick: Number(message.value.tick),
        serverTimeMs: toMilliseconds(message.value.serverTimeUnixNs),
        stream: message.value.stream,
        full: message.value.full,
        payload: message.value.payload,
      };
    case "event":
      return {
        kind: "event",
        sequence: Number(message.value.sequence),
        tick: Number(message.value.tick),
        position: Number(message.value.position),
        payload: message.value.payload,
      };
    case "ping":
      return { kind: "ping", sentNs: message.value.sentNs };
    case "pong":
      return {
        kind: "pong",
        pingSentMs: toMilliseconds(message.value.pingSentNs),
        answeredUnixMs: toMilliseconds(message.value.answeredUnixNs),
      };
    case "error":
      return {
        kind: "error",
        code: errorCode(message.value.code),
        text: message.value.text,
      };
    case "goingAway":
      return { kind: "goingAway", delayMs: message.value.delayMs };
    case "tokenTaken":
      return { kind: "tokenTaken", goodForMs: Number(message.value.goodForMs) };
    case undefined:
      if (replicated.length === 0) return { kind: "unknown" };
      return {
        kind: "replicated",
        frames: replicated.map((frame, index) => {
          const dueNs = replicatedTimeUnixNs[index];
          return { bytes: frame, dueMs: dueNs === undefined ? undefined : toMilliseconds(dueNs) };
        }),
      };
  }
}

/** Encodes a ClientEnvelope; every kind carries the acknowledgement. */
export function encodeClientMessage(newestTickSeen: number, message: ClientMessage): Uint8Array {
  const envelope = create(ClientEnvelopeSchema, {
    newestTickSeen: BigInt(newestTickSeen),
    message: encodeBody(message),
  });
  return toBinary(ClientEnvelopeSchema, envelope);
}

type Body = NonNullable<MessageInitShape<typeof ClientEnvelopeSchema>["message"]>;

function encodeBody(message: ClientMessage): Body {
  switch (message.kind) {
    case "acknowledgement":
      return { case: undefined };
    case "input":
      return { case: "input", value: { payload: message.payload } };
    case "ping":
      return { case: "ping", value: { sentNs: toNanoseconds(message.sentMs) } };
    case "resync":
      return { case: "resync", value: { digestDiffers: message.digestDiffers } };
    case "renewToken":
      return { case: "renewToken", value: { token: message.token } };
    case "pong":
      return {
        case: "pong",
        value: {
          pingSentNs: message.pingSentNs,
          answeredUnixNs: toNanoseconds(message.answeredUnixMs),
        },
      };
  }
}

function errorCode(code: Error_Code): ServerErrorCode {
  switch (code) {
    case Error_Code.RATE_LIMITED:
      return "rateLimited";
    case Error_Code.INBOX_FULL:
      return "inboxFull";
    default:
      return "unspecified";
  }
}

// Through microseconds: a double can't hold unix nanoseconds, but it can hold these.
function toMilliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1000n) / 1000;
}

function toNanoseconds(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds * 1000)) * 1000n;
}
