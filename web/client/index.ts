// The client side of ringcast.v1, for any page and any simulation. See README.md beside this file.
export {
  Client,
  clientCloseCode,
  subprotocol,
  type ClientHandlers,
  type ClientOptions,
  type Closure,
  type ConnectionState,
  type ReplicatedFrame,
  type RoomEvent,
  type Snapshot,
  type Traffic,
} from "./client";
export { ClockSync } from "./clock_sync";
export { browserEnvironment, type Environment, type RoomAnswer, type SocketLike } from "./environment";
export { InterpolationBuffer, type Blend } from "./interpolation";
export type { ServerErrorCode, Welcome } from "./messages";
export type { ReconnectLimits } from "./reconnect_delay";
export * from "./replication";
