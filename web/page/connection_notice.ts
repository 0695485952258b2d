// How the connection is: a word in the masthead, and while there is none a notice over the arena
// that says why and what happens next.
import type { Closure, ConnectionState } from "../client";
import { find } from "./find";

const words = {
  connecting: "Connecting",
  open: "Live",
  waiting: "Reconnecting",
  closed: "Ended",
} as const;

export class ConnectionNotice {
  readonly #connection = find("connection");
  readonly #notice = find("notice");
  readonly #title = find("notice-title");
  readonly #detail = find("notice-detail");
  readonly #reconnect = find("reconnect");
  #retryAtMs: number | undefined;

  constructor(reconnect: () => void) {
    this.#reconnect.addEventListener("click", reconnect);
  }

  show(state: ConnectionState, nowMs: number): void {
    this.#connection.dataset["phase"] = state.phase;
    this.#connection.textContent = words[state.phase];
    this.#notice.hidden = state.phase === "open";
    this.#reconnect.hidden = state.phase !== "closed";
    this.#retryAtMs = undefined;
    switch (state.phase) {
      case "connecting":
        this.#write("Joining the room", "");
        break;
      case "open":
        break;
      case "waiting":
        this.#retryAtMs = nowMs + state.delayMs;
        this.#write(describe(state.closure), "");
        this.refresh(nowMs);
        break;
      case "closed":
        this.#write("The session has ended", describe(state.closure));
        break;
    }
  }

  /** Counts down; to be called a few times a second. */
  refresh(nowMs: number): void {
    if (this.#retryAtMs === undefined) return;
    const seconds = Math.max(0, Math.ceil((this.#retryAtMs - nowMs) / 1000));
    this.#detail.textContent = `Trying again in ${seconds} s`;
  }

  #write(title: string, detail: string): void {
    this.#title.textContent = title;
    this.#detail.textContent = detail;
  }
}

function describe({ code, reason }: Closure): string {
  // A browser does not say whether there is no server, no such room, or a refusal.
  if (code === 1006) return "No connection to the room";
  return reason === "" ? `Closed with code ${code}` : `${reason} (${code})`;
}
