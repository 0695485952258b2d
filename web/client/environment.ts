// All that the client needs from where it runs: sockets, time, chance. A browser and node 22 have
// them as globals; a test hands in its own.

/** The part of the standard WebSocket that is used. */
export interface SocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: CloseEventLike) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

export interface CloseEventLike {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** What a server says of a room to a plain request. */
export interface RoomAnswer {
  /** Of HTTP. */
  readonly status: number;
  /** What the room speaks, or `none`; undefined when that was not said. */
  readonly subprotocol: string | undefined;
}

export interface Environment {
  /** Milliseconds of a clock that never goes back; from any origin. */
  now(): number;
  /** Milliseconds since 1970-01-01 UTC. */
  unixNow(): number;
  /** In [0, 1). */
  random(): number;
  /** Calls back when the network is back after it was gone; returns what cancels it. */
  whenOnline(callback: () => void): () => void;
  /** Calls back once after `delayMs`; returns what cancels it. */
  startTimer(delayMs: number, callback: () => void): () => void;
  openSocket(url: string, subprotocols: string[]): SocketLike;
  /**
   * How the server answers a plain request for the room, which tells why it takes no WebSocket:
   * browsers keep that from a page. Undefined when that can't be known, as of another origin's
   * server.
   */
  askRoom(url: string): Promise<RoomAnswer | undefined>;
}

// Declared rather than taken from the DOM's types, so that these are all there is.
declare const performance: { now(): number };
declare const WebSocket: new (url: string, subprotocols: string[]) => SocketLike;
declare function fetch(
  url: string,
  options: { readonly cache: "no-store" },
): Promise<{ readonly status: number; readonly headers: { get(name: string): string | null } }>;
declare const addEventListener: ((type: "online", listener: () => void) => void) | undefined;
declare const removeEventListener: ((type: "online", listener: () => void) => void) | undefined;
declare function setTimeout(callback: () => void, delayMs: number): number;
declare function clearTimeout(timer: number): void;

/** The globals of a browser. */
export const browserEnvironment: Environment = {
  now: () => performance.now(),
  unixNow: () => Date.now(),
  random: () => Math.random(),
  whenOnline(callback) {
    if (typeof addEventListener === "undefined") return () => {};
    addEventListener("online", callback);
    return () => removeEventListener?.("online", callback);
  },
  startTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  openSocket: (url, subprotocols) => new WebSocket(url, subprotocols),
  async askRoom(url) {
    try {
      const answer = await fetch(url.replace(/^ws/, "http"), { cache: "no-store" });
      const subprotocol = answer.headers.get("Ringcast-Subprotocol") ?? undefined;
      return { status: answer.status, subprotocol };
    } catch {
      return undefined;
    }
  },
};
