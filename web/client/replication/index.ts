// Replicated rooms: what a client does with their frames. See ../README.md.
export type { ClassLayout, FieldKind, Schema as ReplicationSchema, ValueLayout } from "./schema";
export { SchemaError } from "./schema";
export type { FieldShape, FieldValue, ReplicatedObject } from "./objects";
export {
  ReplicationReader,
  type ClassShapes,
  type LeftObject,
  type ReaderCounts,
  type ReaderLimits,
  type ReadResult,
} from "./reader";
