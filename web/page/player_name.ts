// What the player wants to be called: typed in the masthead, kept by the browser, and at most as long
// as the arena takes. There a name is UTF-8 in numbers of three bytes each.
import { find } from "./find";

const bytesMax = 15;
const partBytes = 3;
const storageKey = "ringcast.name";

/** The longest beginning of `text` that the arena takes, without what can't be seen. */
export function fittingName(text: string): string {
  const encoder = new TextEncoder();
  let name = "";
  let bytes = 0;
  for (const letter of text.replace(/[\p{Cc}\p{Cf}]/gu, "").trim()) {
    bytes += encoder.encode(letter).length;
    if (bytes > bytesMax) break;
    name += letter;
  }
  return name.trimEnd();
}

/** The name of which these are the parts; what is no UTF-8 in it is shown as such. */
export function nameOf(parts: readonly number[]): string {
  const bytes: number[] = [];
  for (const part of parts) {
    for (let i = 0; i < partBytes; i++) {
      const byte = (part >>> (8 * i)) & 0xff;
      if (byte === 0) return new TextDecoder().decode(Uint8Array.from(bytes));
      bytes.push(byte);
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
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
