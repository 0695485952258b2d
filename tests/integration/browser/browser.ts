// Debian's Chromium with a profile of its own, and what went wrong in it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";

export const pageUrl = process.env["RINGCAST_PAGE"] ?? "http://127.0.0.1:9000/";

/** A bound, not an expectation: enough for a slow build on a busy machine. */
export const waitMs = 30_000;

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export class Browser {
  readonly context: BrowserContext;
  readonly #profile: string;

  private constructor(context: BrowserContext, profile: string) {
    this.context = context;
    this.#profile = profile;
  }

  /** `password`: what it sends to who asks for one; none by default. */
  static async launch(password?: string): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), "ringcast-browser-"));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath,
      args: flags,
      viewport: { width: 1440, height: 900 },
      ...(password === undefined ? {} : { httpCredentials: { username: "me", password } }),
    });
    return new Browser(context, profile);
  }

  async close(): Promise<void> {
    await this.context.close();
    await rm(this.#profile, { recursive: true, force: true });
  }
}

/** Everything in a page that a developer would want to know of. Grows as it happens. */
export function complaintsOf(page: Page, url = pageUrl): string[] {
  const complaints: string[] = [];
  const { origin } = new URL(url);
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") {
      complaints.push(`console: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
  page.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && new URL(request.url()).origin !== origin) {
      complaints.push(`elsewhere: ${request.url()}`);
    }
  });
  return complaints;
}

/** The least contrast of the texts of `parts` with the ground of `ground` (WCAG 2.1, 1.4.3). */
export async function leastContrast(page: Page, ground: string, parts: string): Promise<number> {
  return page.evaluate(
    ([groundSelector, partsSelector]) => {
      const luminance = (color: string) => {
        const [r, g, b] = color
          .match(/\d+/g)!
          .slice(0, 3)
          .map((channel) => {
            const part = Number(channel) / 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
          });
        return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
      };
      const under = luminance(getComputedStyle(document.querySelector(groundSelector!)!).backgroundColor);
      const contrasts = [...document.querySelectorAll(partsSelector!)].map((part) => {
        const ink = luminance(getComputedStyle(part).color);
        return (Math.max(ink, under) + 0.05) / (Math.min(ink, under) + 0.05);
      });
      return Math.min(...contrasts);
    },
    [ground, parts],
  );
}

/** Looks until `condition` holds and returns what it saw. */
export async function until<T>(
  look: () => Promise<T>,
  condition: (seen: T) => boolean,
  what: string,
): Promise<T> {
  const deadlineMs = performance.now() + waitMs;
  for (;;) {
    const seen = await look();
    if (condition(seen)) return seen;
    if (performance.now() > deadlineMs) {
      throw new Error(`not within ${waitMs} ms: ${what}; last seen: ${String(seen)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What the page shows of a session. */
export class Arena {
  constructor(readonly page: Page) {}

  async text(id: string): Promise<string> {
    return (await this.page.locator(`#${id}`).textContent()) ?? "";
  }

  /** A reading as a number; NaN while there is none. */
  async reading(id: string): Promise<number> {
    const text = (await this.text(id)).replaceAll("\u2009", "");
    return text === "" ? Number.NaN : Number(text);
  }

  async untilReading(id: string, condition: (value: number) => boolean, what: string) {
    return until(() => this.reading(id), condition, what);
  }

  async untilLive(): Promise<void> {
    await until(() => this.text("connection"), (text) => text === "Live", "the page is live");
    await this.untilReading("tick", (tick) => tick > 0, "a tick is shown");
  }

  /** Where the player is, in units, as the canvas tells who can't see it. */
  async own(): Promise<{ x: number; y: number }> {
    const place = /You are (?:.+, )?at (-?\d+), (-?\d+)/;
    const label = await until(
      async () => (await this.page.locator("#arena").getAttribute("aria-label")) ?? "",
      (text) => place.test(text),
      "the player is in the arena",
    );
    const [, x, y] = place.exec(label)!;
    return { x: Number(x), y: Number(y) };
  }

  /** What the room calls the player; empty for who has no name. */
  async ownName(): Promise<string> {
    const label = (await this.page.locator("#arena").getAttribute("aria-label")) ?? "";
    return /You are (.+), at /.exec(label)?.[1] ?? "";
  }

  async canvasBox() {
    const box = await this.page.locator("#arena").boundingBox();
    if (box === null) throw new Error("the canvas is not visible");
    return box;
  }

  /** How many pixels of the canvas differ from those of the call before. */
  async pixelsChanged(): Promise<number> {
    return this.page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>("#arena")!;
      const { width, height } = canvas;
      const copy = new OffscreenCanvas(width, height);
      const context = copy.getContext("2d", { willReadFrequently: true })!;
      context.drawImage(canvas, 0, 0);
      const now = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
      const keep = globalThis as { pixelsBefore?: Uint32Array };
      const before = keep.pixelsBefore ?? now;
      keep.pixelsBefore = now;
      return now.reduce((sum, pixel, i) => sum + (pixel === before[i] ? 0 : 1), 0);
    });
  }
}
