// A room server as people write it with npm's ws: each tick's snapshot is marshaled once, framed once
// by the library's own Sender, and written to every client's socket that has sent its last one.
// It speaks ringcast.v1 as far as `ringcast load` needs; web/scripts/run.mjs runs it.
import type { Socket } from "node:net";
import { parseArgs } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { Sender, WebSocketServer } from "ws";
import { ObjectKind, StateSchema, type State } from "../../../web/client/gen/ringcast/v1/arena_pb";
import { ServerEnvelopeSchema } from "../../../web/client/gen/ringcast/v1/envelope_pb";

/** The part of ws's own export that its types leave out. */
declare module "ws" {
  class Sender {
    static frame(
      data: Uint8Array,
      options: { fin: boolean; opcode: number; mask: boolean; readOnly: boolean; rsv1: boolean },
    ): Buffer[];
  }
}

const { values } = parseArgs({
  options: {
    listen: { type: "string", default: "127.0.0.1:9100" },
    "rate-hz": { type: "string", default: "60" },
    bytes: { type: "string", default: "0" },
    seconds: { type: "string", default: "60" },
  },
});
const [host = "", port = ""] = values.listen.split(":");
const rateHz = Number(values["rate-hz"]);
const frameBytes = Number(values.bytes);

const side = 1_000;
const objects = 50;
const binary = 2; // the opcode, RFC 6455 section 5.2

function newWorld(): State {
  const within = (bound: number) => Math.random() * bound;
  const state = create(StateSchema, { width: side, height: side });
  for (let id = 1; id <= objects; ++id) {
    state.objects.push({
      $typeName: "ringcast.v1.arena.Object",
      id,
      x: within(side),
      y: within(side),
      vxTenths: Math.round(within(1_000)) - 500,
      vyTenths: Math.round(within(1_000)) - 500,
      state: ObjectKind.BOT | (80 << 3),
    });
  }
  return state;
}

function step(state: State): void {
  for (const object of state.objects) {
    if (object.x < 0 || object.x > side) object.vxTenths = -object.vxTenths;
    if (object.y < 0 || object.y > side) object.vyTenths = -object.vyTenths;
    object.x += object.vxTenths / 10 / rateHz;
    object.y += object.vyTenths / 10 / rateHz;
  }
}

const nowNs = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));

function encodeSnapshot(tick: number, payload: Uint8Array): Uint8Array {
  return toBinary(
    ServerEnvelopeSchema,
    create(ServerEnvelopeSchema, {
      message: {
        case: "snapshot",
        value: { tick: BigInt(tick), serverTimeUnixNs: nowNs(), payload },
      },
    }),
  );
}

/** An envelope as large as the frame should be, give or take a length field. */
function fitted(tick: number, payload: Uint8Array): Uint8Array {
  const message = encodeSnapshot(tick, payload);
  if (frameBytes === 0) return message;
  const header = 4;
  const size = Math.max(0, frameBytes - header - (message.length - payload.length));
  const sized = new Uint8Array(size);
  sized.set(payload.subarray(0, size));
  return encodeSnapshot(tick, sized);
}

const sockets = new Set<Socket>();
const state = newWorld();
let tick = 0;

const server = new WebSocketServer({ host, port: Number(port), perMessageDeflate: false, backlog: 4096 });
server.on("connection", (client, request) => {
  client.send(
    toBinary(
      ServerEnvelopeSchema,
      create(ServerEnvelopeSchema, {
        message: {
          case: "welcome",
          value: {
            room: "arena",
            memberId: 1,
            rateHz,
            tick: BigInt(tick),
            serverTimeUnixNs: nowNs(),
            acknowledgeEveryTicks: 6,
            serverVersion: "ws",
          },
        },
      }),
    ),
  );
  sockets.add(request.socket);
  client.on("error", () => client.terminate());
  client.on("close", () => sockets.delete(request.socket));
});

const periodMs = 1_000 / rateHz;
let dueMs = performance.now();
function turn(): void {
  step(state);
  const message = fitted(++tick, toBinary(StateSchema, state));
  const frame = Buffer.concat(
    Sender.frame(message, { fin: true, opcode: binary, mask: false, readOnly: true, rsv1: false }),
  );
  for (const socket of sockets) {
    if (socket.writableLength === 0) socket.write(frame);
  }
  // An absolute schedule; ticks whose time has passed are left out.
  const nowMs = performance.now();
  do dueMs += periodMs;
  while (dueMs <= nowMs);
  setTimeout(turn, dueMs - nowMs);
}
turn();

process.on("SIGTERM", () => process.exit(0));
setTimeout(() => process.exit(0), Number(values.seconds) * 1_000);
