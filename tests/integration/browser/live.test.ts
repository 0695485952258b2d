// The live view as somebody sees it who runs a server: in a real browser, at the admin address of a
// running one, which asks for its token when it has one.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import WebSocket from "ws";
import { Browser, complaintsOf, leastContrast, until } from "./browser";

const liveUrl = process.env["RINGCAST_LIVE"] ?? "http://127.0.0.1:9001/";
const roomUrl = `${process.env["RINGCAST_URL"] ?? "ws://127.0.0.1:9000"}/rooms/arena`;
const screenshot = process.env["RINGCAST_SCREENSHOT_LIVE"];
const adminToken = process.env["RINGCAST_ADMIN_TOKEN"];

let browser: Browser;
let page: Page;
let complaints: string[];

const text = (selector: string) =>
  page.locator(selector).first().textContent().then((found) => found ?? "");
const reading = (card: string, name: string) =>
  text(`.card[data-name="${card}"] dl div:has(dt:text-is("${name}")) dd`);

before(async () => {
  browser = await Browser.launch(adminToken);
  page = browser.context.pages()[0] ?? (await browser.context.newPage());
  complaints = complaintsOf(page, liveUrl);
  await page.goto(liveUrl);
});

after(() => browser?.close());

test("it says that the server serves, and shows its rooms and cores", async () => {
  await until(() => text("#state"), (state) => state === "Serving", "the server serves");
  for (const name of ["arena", "echo", "duel", "core 0"]) {
    await until(() => page.locator(`.card[data-name="${name}"]`).count(), (n) => n === 1, name);
  }
  assert.match(await text("#version"), /^\d+\.\d+/);
});

test("members are counted while they are there, and are among the slowest sessions", async () => {
  const members = Array.from({ length: 5 }, () => new WebSocket(roomUrl, "ringcast.v1"));
  await until(() => reading("arena", "Members"), (count) => count === "5", "five members");
  await until(() => page.locator("#slowest tr").count(), (rows) => rows === 5, "five sessions");
  await until(() => text("#total-frames"), (rate) => Number.parseFloat(rate) > 100, "frames a second");
  assert.match(await reading("core 0", "Age p99"), /^\d+(\.\d+)? (µs|ms)$/);
  for (const member of members) member.close();
  await until(() => reading("arena", "Members"), (count) => count === "0", "they have left");
});

test("tick time is drawn against its budget, and goes on by itself", async () => {
  const points = async () =>
    (await page.locator('.card[data-name="arena"] svg .p99').getAttribute("points")) ?? "";
  const before = (await points()).split(" ").length;
  await until(points, (now) => now.split(" ").length >= before + 2, "two more seconds are drawn");
  assert.match(await text('.card[data-name="arena"] .headline'), /^\d+(\.\d+)? (µs|ms) of 16\.7 ms$/);
});

for (const [device, width, height] of [
  ["a phone", 390, 844],
  ["a small phone", 320, 568],
  ["a wide window", 1440, 900],
] as const) {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`fits ${device}, ${colorScheme}`, async () => {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      const size = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(size, width);
      const contrast = await leastContrast(page, ".card", ".card dt, .card dd, .card h3");
      assert.ok(contrast >= 4.5, `contrast ${contrast}`);
    });
  }
}

test("nothing was complained of, and nothing fetched from elsewhere", () => {
  assert.deepEqual(complaints, []);
});

test("a picture of it can be taken", async (context) => {
  if (screenshot === undefined) {
    context.skip("RINGCAST_SCREENSHOT_LIVE is not set");
    return;
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const path = screenshot.replace(/\.png$/, `-${colorScheme}.png`);
    assert.ok((await page.screenshot({ path, fullPage: true })).length > 10_000);
  }
});
