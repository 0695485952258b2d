// The room's events as lines, the newest on top; a few of them, added a few times a second.
import { ObjectKind } from "./arena_state";
import type { ArenaEvent } from "../client/gen/ringcast/v1/arena_pb";

const linesMax = 40;

interface Line {
  readonly mark: "created" | "deleted" | "ended";
  readonly text: string;
  readonly tick: number;
}

export class EventLog {
  readonly #list: HTMLElement;
  #waiting: Line[] = [];

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  /** Takes an event; render() shows it. */
  add(tick: number, event: ArenaEvent["event"]): void {
    const line = describe(tick, event);
    if (line === undefined) return;
    this.#waiting.push(line);
    if (this.#waiting.length > linesMax) this.#waiting.shift();
  }

  render(): void {
    if (this.#waiting.length === 0) return;
    this.#list.prepend(...this.#waiting.reverse().map(element));
    this.#waiting = [];
    while (this.#list.childElementCount > linesMax) this.#list.lastElementChild?.remove();
  }

  clear(): void {
    this.#waiting = [];
    this.#list.replaceChildren();
  }
}

function describe(tick: number, event: ArenaEvent["event"]): Line | undefined {
  switch (event.case) {
    case "created": {
      const { object, memberId } = event.value;
      if (object === undefined) return undefined;
      const whose = memberId === 0 ? "" : ` of member ${memberId}`;
      return { mark: "created", text: `${kindName(object.state & 7)} ${object.id}${whose}`, tick };
    }
    case "deleted": {
      const { id, absorbedBy } = event.value;
      const how = absorbedBy === 0 ? "gone" : `absorbed by ${absorbedBy}`;
      return { mark: "deleted", text: `${id} ${how}`, tick };
    }
    case "sessionEnded":
      return { mark: "ended", text: `member ${event.value.memberId} left`, tick };
    case undefined:
      return undefined;
  }
}

function kindName(kind: ObjectKind): string {
  switch (kind) {
    case ObjectKind.PLAYER:
      return "player";
    case ObjectKind.BOT:
      return "bot";
    case ObjectKind.FRAGMENT:
      return "fragment";
    default:
      return "object";
  }
}

function element({ mark, text, tick }: Line): HTMLElement {
  const item = document.createElement("li");
  item.dataset["mark"] = mark;
  const what = document.createElement("span");
  what.textContent = text;
  const when = document.createElement("span");
  when.className = "when";
  when.textContent = String(tick);
  item.append(what, when);
  return item;
}
