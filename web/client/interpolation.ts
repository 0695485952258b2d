// Snapshots come at the server's rate and jitter; a display draws at its own. The buffer holds the
// latest few and answers, for any moment, between which two it falls and how far. It shows the past
// by as little as the connection allows: no clock synchronisation is needed for that, since only
// differences count.
//
// Snapshot i can't be interpolated towards before it arrives, so while it is awaited the moment
// shown must not pass snapshot i-1: the delay that i asks for is arrival(i) - serverTime(i-1), which
// covers spacing, skipped ticks and jitter alike. The delay follows a high quantile of these, up to
// a limit: past it a hitch now and then is better than play in the distant past.

/** What to draw: `from` and `to` mixed by `alpha` in [0, 1]. */
export interface Blend<T> {
  readonly from: T;
  readonly to: T;
  readonly alpha: number;
  /** The next snapshot is overdue: `to` is held. */
  readonly starved: boolean;
}

interface Held<T> {
  readonly serverTimeMs: number;
  readonly payload: T;
}

const heldMax = 128;
const observedMax = 128;
const quantile = 0.98;
/** How much more than the least delay asked for lately jitter may cost. */
const jitterMaxMs = 150;
// The shown time runs this much faster or slower than the clock while the delay adapts: too little
// to be seen, enough to follow a path that changes within seconds.
const growthPerMs = 0.1;
const shrinkPerMs = 0.03;
// Beyond this the shown time jumps instead (a suspended laptop, a server clock that was set).
const jumpMs = 500;

export class InterpolationBuffer<T> {
  #held: Held<T>[] = [];
  #requiredMs: number[] = [];
  #targetMs: number | undefined;
  #delayMs: number | undefined;
  #sampledAtMs = 0;

  /**
   * Takes a snapshot that the server made at `serverTimeMs` (its clock) and that arrived at
   * `receivedAtMs` (the local clock). One as old as the newest replaces it, an older one is
   * dropped.
   */
  push(serverTimeMs: number, receivedAtMs: number, payload: T): void {
    const newest = this.#held.at(-1);
    if (newest !== undefined && serverTimeMs < newest.serverTimeMs - jumpMs) {
      this.clear(); // the server's clock was set back
    } else if (newest !== undefined) {
      if (serverTimeMs < newest.serverTimeMs) return;
      if (serverTimeMs === newest.serverTimeMs) {
        this.#held[this.#held.length - 1] = { serverTimeMs, payload };
        return;
      }
      this.#observe(receivedAtMs - newest.serverTimeMs);
    }
    this.#held.push({ serverTimeMs, payload });
    // Nobody samples while a page is hidden.
    if (this.#held.length > heldMax) this.#held.shift();
  }

  /** What to draw at `nowMs` (the local clock); undefined while nothing has been pushed. */
  sample(nowMs: number): Blend<T> | undefined {
    const newest = this.#held.at(-1);
    if (newest === undefined) return undefined;
    this.#adapt(nowMs);
    if (this.#delayMs === undefined) {
      return { from: newest.payload, to: newest.payload, alpha: 1, starved: false };
    }
    const shownMs = nowMs - this.#delayMs;
    while (this.#held.length > 2 && this.#held[1]!.serverTimeMs <= shownMs) this.#held.shift();
    const [from, to] = this.#held as [Held<T>, Held<T>];
    const alpha = (shownMs - from.serverTimeMs) / (to.serverTimeMs - from.serverTimeMs);
    return {
      from: from.payload,
      to: to.payload,
      alpha: Math.min(1, Math.max(0, alpha)),
      starved: alpha > 1,
    };
  }

  /** The server's time that sample(nowMs) shows; undefined before the second snapshot. */
  shownServerTimeMs(nowMs: number): number | undefined {
    return this.#delayMs === undefined ? undefined : nowMs - this.#delayMs;
  }

  /** Forgets everything: a new session, perhaps another server. */
  clear(): void {
    this.#held = [];
    this.#requiredMs = [];
    this.#targetMs = undefined;
    this.#delayMs = undefined;
  }

  #observe(requiredMs: number): void {
    this.#requiredMs.push(requiredMs);
    if (this.#requiredMs.length > observedMax) this.#requiredMs.shift();
    const sorted = Float64Array.from(this.#requiredMs).sort();
    const most = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))]!;
    this.#targetMs = Math.min(most, sorted[0]! + jitterMaxMs);
  }

  #adapt(nowMs: number): void {
    if (this.#targetMs === undefined) return;
    const elapsedMs = Math.max(0, nowMs - this.#sampledAtMs);
    this.#sampledAtMs = nowMs;
    if (this.#delayMs === undefined || Math.abs(this.#targetMs - this.#delayMs) > jumpMs) {
      this.#delayMs = this.#targetMs;
      return;
    }
    const change = this.#targetMs - this.#delayMs;
    this.#delayMs += Math.min(growthPerMs * elapsedMs, Math.max(-shrinkPerMs * elapsedMs, change));
  }
}
