// A WebSocket of npm's ws with its messages in a queue, so that a test reads like a conversation.
// Every wait has an end: a server that falls silent fails a test, it doesn't hang it.
import { WebSocket, type ClientOptions } from "ws";
import {
  decodeServerMessage,
  encodeClientMessage,
  type ClientMessage,
  type ServerMessage,
} from "../../../web/client/messages";

/** A bound, not an expectation: enough for a slow build on a busy machine. */
const waitMs = 20_000;

export const serverUrl = process.env["RINGCAST_URL"] ?? "ws://127.0.0.1:9000";
export const httpUrl = serverUrl.replace(/^ws/, "http");
export const subprotocol = "ringcast.v1";

export interface Closure {
  readonly code: number;
  readonly reason: string;
}

export interface Received {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

export type MessageOf<Kind extends ServerMessage["kind"]> = ServerMessage & { kind: Kind };

export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${waitMs} ms: ${what}`)), waitMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

export class Session {
  readonly socket: WebSocket;
  readonly closed: Promise<Closure>;
  readonly #queue: Received[] = [];
  #arrived: (() => void) | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => {
      this.#queue.push({ data: data as Buffer, isBinary });
      this.#arrived?.();
    });
    socket.on("error", () => {}); // close follows
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#arrived?.();
      });
    });
  }

  /** Connects to a path of the server; rejects when the upgrade is refused. */
  static async open(
    path: string,
    protocols: string[] = [subprotocol],
    options: ClientOptions = {},
  ): Promise<Session> {
    const session = new Session(new WebSocket(serverUrl + path, protocols, options));
    const opened = new Promise<void>((resolve, reject) => {
      session.socket.once("open", resolve);
      session.socket.once("error", reject);
    });
    await within(opened, `${path} opens`);
    return session;
  }

  /** The next message, whatever it is. */
  async receive(): Promise<Received> {
    return within(this.#next(), "a message comes");
  }

  async receiveEnvelope(): Promise<ServerMessage> {
    return decodeServerMessage((await this.receive()).data);
  }

  /** The next message of a kind; others before it are skipped. */
  async receiveKind<Kind extends ServerMessage["kind"]>(kind: Kind): Promise<MessageOf<Kind>> {
    const search = async () => {
      for (;;) {
        const message = decodeServerMessage((await this.#next()).data);
        if (message.kind === kind) return message as MessageOf<Kind>;
      }
    };
    return within(search(), `a ${kind} comes`);
  }

  /** The next snapshot, acknowledged. */
  async receiveSnapshot(): Promise<MessageOf<"snapshot">> {
    const snapshot = await this.receiveKind("snapshot");
    this.sendEnvelope(snapshot.tick, { kind: "acknowledgement" });
    return snapshot;
  }

  sendEnvelope(newestTickSeen: number, message: ClientMessage): void {
    this.socket.send(encodeClientMessage(newestTickSeen, message));
  }

  async closure(): Promise<Closure> {
    return within(this.closed, "the connection closes");
  }

  async leave(): Promise<void> {
    this.socket.close();
    await this.closure();
  }

  async #next(): Promise<Received> {
    for (;;) {
      const message = this.#queue.shift();
      if (message !== undefined) return message;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error("the connection closed");
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }
}

/** Opens a session, hands it to `use`, and leaves whatever came of it. */
export async function withSession(
  path: string,
  use: (session: Session) => Promise<void>,
  ...rest: [protocols?: string[], options?: ClientOptions]
): Promise<void> {
  const session = await Session.open(path, ...rest);
  try {
    await use(session);
  } finally {
    session.socket.terminate();
  }
}

export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The answer to an upgrade request that is not accepted. */
export async function refusal(
  path: string,
  protocols: string[],
  options: ClientOptions = {},
): Promise<Refusal> {
  const socket = new WebSocket(serverUrl + path, protocols, options);
  const answered = new Promise<Refusal>((resolve, reject) => {
    socket.on("unexpected-response", (_, response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
    });
    socket.on("open", () => reject(new Error(`${path} was accepted`)));
    socket.on("error", reject);
  });
  try {
    return await within(answered, `${path} is refused`);
  } finally {
    socket.on("error", () => {});
    socket.terminate();
  }
}
