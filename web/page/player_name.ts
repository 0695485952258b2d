// What the player wants to be called: typed in the masthead, kept by the browser, and at most as long
// as the arena takes. There a name is UTF-8 in numbers of three bytes each.
import { find } from "./find";

const bytesMax = 15;
const partBytes = 3;
const storageKey = "ringcast.name";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Without what can't be seen, or turns about what follows. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "").trim();
}

/** The longest beginning of `text` that the arena takes, without what can't be seen. */
export function fittingName(text: string): string {
  let name = "";
  let bytes = 0;
  for (const letter of visible(text)) {
    bytes += encoder.encode(letter).length;
    if (bytes > bytesMax) break;
    name += letter;
  }
  return name.trimEnd();
}

/**
 * The name of which these are the parts, without what can't be seen: others may say what they like.
 * What is no UTF-8 in it is shown as such.
 */
export function nameOf(parts: readonly number[]): string {
  const bytes = new Uint8Array(parts.length * partBytes);
  for (const [index, part] of parts.entries()) {
    for (let i = 0; i < partBytes; i++) bytes[index * partBytes + i] = part >>> (8 * i);
  }
  const end = bytes.indexOf(0);
  return visible(decoder.decode(end < 0 ? bytes : bytes.subarray(0, end)));
}

export class PlayerName {
  #name: string;

  /** `changed` is called when another one has been chosen. */
  constructor(changed: (name: string) => void) {
    const input = find("name");
    if (!(input instanceof HTMLInputElement)) throw new Error("#name is no input");
    this.#name = fittingName(stored());
    input.value = this.#name;
    const choose = () => {
      const name = fittingName(input.value);
      input.value = name;
      if (name === this.#name) return;
      this.#name = name;
      store(name);
      changed(name);
    };
    input.addEventListener("change", choose);
    input.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") input.value = this.#name;
      if (key === "Enter" || key === "Escape") input.blur();
    });
  }

  get value(): string {
    return this.#name;
  }
}

// A browser may refuse to keep anything.
function stored(): string {
  try {
    return localStorage.getItem(storageKey) ?? "";
  } catch {
    return "";
  }
}

function store(name: string): void {
  try {
    localStorage.setItem(storageKey, name);
  } catch {
    // It holds until the page is left.
  }
}
