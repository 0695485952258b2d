// How the connection is: a word in the masthead, and while there is none a notice over the arena
// that says why and what happens next. A connection that brings no snapshots any more says nothing
// by itself: so a picture that stands still is told from one that lives.
import { clientCloseCode, type Closure, type ConnectionState } from "../client";
import { find } from "./find";

const words = {
  connecting: "Connecting",
  open: "Live",
  waiting: "Reconnecting",
  closed: "Ended",
} as const;

/** Without a snapshot for so long, or so many of the room's ticks, the picture is old. */
const staleMs = 1_000;
const staleTicks = 3;

export class ConnectionNotice {
  readonly #connection = find("connection");
  readonly #notice = find("notice");
  readonly #title = find("notice-title");
  readonly #detail = find("notice-detail");
  readonly #reconnect = find("reconnect");
  #retryAtMs: number | undefined;
  /** While open. */
  #newsAtMs: number | undefined;
  #staleAfterMs = staleMs;

  constructor(reconnect: () => void) {
    this.#reconnect.addEventListener("click", reconnect);
  }

  show(state: ConnectionState, nowMs: number): void {
    this.#connection.dataset["phase"] = state.phase;
    this.#connection.textContent = words[state.phase];
    this.#notice.hidden = state.phase === "open";
    this.#reconnect.hidden = state.phase !== "closed";
    this.#retryAtMs = undefined;
    this.#newsAtMs = undefined;
    switch (state.phase) {
      case "connecting":
        this.#write("Joining the room", "");
        break;
      case "open":
        this.#newsAtMs = nowMs;
        this.#staleAfterMs = Math.max(staleMs, (staleTicks * 1000) / state.welcome.rateHz);
        break;
      case "waiting":
        this.#retryAtMs = nowMs + state.delayMs;
        this.#write(describe(state.closure), "");
        this.refresh(nowMs);
        break;
      case "closed":
        // Without a close frame: what was asked for again was refused for good.
        this.#write(
          state.closure.code === 1006 ? "This room can't be joined" : "The session has ended",
          describe(state.closure),
        );
        break;
    }
  }

  /** A snapshot or a frame has come. */
  news(nowMs: number): void {
    if (this.#newsAtMs !== undefined) this.#newsAtMs = nowMs;
  }

  /** Counts; to be called a few times a second. */
  refresh(nowMs: number): void {
    if (this.#newsAtMs !== undefined) this.#say(nowMs - this.#newsAtMs);
    if (this.#retryAtMs === undefined) return;
    const seconds = Math.max(0, Math.ceil((this.#retryAtMs - nowMs) / 1000));
    this.#detail.textContent = `Trying again in ${seconds} s`;
  }

  /** While open, after so long without a snapshot. */
  #say(silentMs: number): void {
    const stale = silentMs >= this.#staleAfterMs;
    const silence = navigator.onLine ? "No news" : "Offline";
    const text = stale ? `${silence} for ${Math.floor(silentMs / 1000)} s` : words.open;
    this.#connection.dataset["phase"] = stale ? "stale" : "open";
    if (this.#connection.textContent !== text) this.#connection.textContent = text;
  }

  #write(title: string, detail: string): void {
    this.#title.textContent = title;
    this.#detail.textContent = detail;
  }
}

function describe({ code, reason }: Closure): string {
  if (code === 1006) return reason === "" ? "No connection to the room" : sentence(reason);
  if (code === clientCloseCode.normal && reason !== "") return sentence(reason);
  return reason === "" ? `Closed with code ${code}` : `${reason} (${code})`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
