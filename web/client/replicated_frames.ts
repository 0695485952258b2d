// The frames of a replicated room, one after the other: what they tell goes into a reader, when each
// one's tick was due follows from the last that said so, and what can't go on is asked for anew.
import { ReplicationReader } from "./replication";

/** What came of a frame. */
export interface TakenFrame {
  /** When its tick was due by the server's clock, unix milliseconds; undefined: it was not read. */
  readonly serverTimeMs: number | undefined;
  /** To be sent: everything is to be told anew, and that has not been asked for yet. */
  readonly resync: { readonly digestDiffers: boolean } | undefined;
}

export class ReplicatedFrames {
  readonly reader: ReplicationReader;
  readonly #periodMs: number;
  #asked = false;
  // Of the newest tick of which it was told.
  #dueMs = 0;
  #dueTick = 0;

  /** Of one session. Throws a SchemaError when `schema` is none. */
  constructor(schema: Uint8Array, periodMs: number) {
    this.reader = new ReplicationReader(schema);
    this.#periodMs = periodMs;
  }

  /** `dueMs`: when the frame's tick was due, if it came with that; unix milliseconds. */
  take(frame: Uint8Array, dueMs: number | undefined): TakenFrame {
    const result = this.reader.read(frame);
    // Once: what is on its way is of no use, and the first frame that is begins anew. Unless that
    // can't be read either: what merely goes on from what was not read has `noBeginning`.
    const asks = result !== "ok" && (!this.#asked || result !== "noBeginning");
    this.#asked = result !== "ok";
    const digestDiffers = result === "digestDiffers";
    const resync = asks ? { digestDiffers } : undefined;
    // A frame whose digest differs was read all the same: who left with it won't leave again.
    if (result !== "ok" && !digestDiffers) return { serverTimeMs: undefined, resync };
    return { serverTimeMs: this.#dueOf(this.reader.tick, dueMs), resync };
  }

  #dueOf(tick: number, toldMs: number | undefined): number {
    if (toldMs !== undefined) {
      this.#dueMs = toldMs;
      this.#dueTick = tick;
    }
    return this.#dueMs + (tick - this.#dueTick) * this.#periodMs;
  }
}
