// Who in view has absorbed the most fragments, the best first, and how many the player has.
import { find } from "./find";
import type { Disc, Scene } from "./scene";

const linesMax = 6;

export interface Line {
  readonly label: string;
  readonly score: number;
  readonly kind: "own" | "player" | "bot";
}

/** The best in view; none where the room tells no scores. Of equals the older comes first. */
export function bestOf(discs: readonly Disc[]): Line[] {
  return discs
    .filter(({ kind, score }) => kind !== "fragment" && (score ?? 0) > 0)
    .sort((one, other) => other.score! - one.score! || one.id - other.id)
    .slice(0, linesMax)
    .map((disc) => ({
      label: labelOf(disc),
      score: disc.score!,
      kind: disc.own ? "own" : disc.kind === "player" ? "player" : "bot",
    }));
}

function labelOf({ own, kind, name, id }: Disc): string {
  if (name !== "") return name;
  return own ? "you" : `${kind} ${id}`;
}

export class Scoreboard {
  readonly #section = find("scores");
  readonly #list = find("score-list");
  readonly #score = find("score");
  readonly #scoreText = find("score-text");
  readonly #scoreUnit = find("score-unit");
  #written = "";

  /** A few times a second. */
  render({ discs, own }: Scene): void {
    this.#score.hidden = own?.score === undefined;
    if (own?.score !== undefined) {
      this.#scoreText.textContent = String(own.score);
      this.#scoreUnit.textContent = own.score === 1 ? "fragment" : "fragments";
    }
    const lines = bestOf(discs);
    this.#section.hidden = lines.length === 0;
    const text = JSON.stringify(lines);
    if (text === this.#written) return;
    this.#written = text;
    this.#list.replaceChildren(...lines.map(element));
  }
}

function element({ label, score, kind }: Line): HTMLElement {
  const item = document.createElement("li");
  item.dataset["kind"] = kind;
  const who = document.createElement("span");
  who.className = "who";
  who.textContent = label;
  const count = document.createElement("span");
  count.textContent = String(score);
  item.append(who, count);
  return item;
}
