// The page as somebody sees it who opens it: in a real browser, from a running server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Arena, Browser, complaintsOf, leastContrast, pageUrl, until } from "./browser";

let browser: Browser;
let arena: Arena;
let complaints: string[];

before(async () => {
  browser = await Browser.launch();
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  complaints = complaintsOf(page);
  // Nothing but what the server says moves then, so that pixels that change mean objects that move.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto(pageUrl);
  arena = new Arena(page);
});

after(() => browser?.close());

test("joins the room and ticks advance", async () => {
  await arena.untilLive();
  assert.equal(await arena.text("room"), "arena");
  const tick = await arena.reading("tick");
  await arena.untilReading("tick", (later) => later >= tick + 60, "a second's ticks have passed");
});

test("every reading is a number", async () => {
  const readings = [
    "age-p50",
    "age-p99",
    "tick",
    "tick-rate",
    "members",
    "in-view",
    "objects",
    "snapshots",
    "received",
    "tick-bytes",
    "frames",
    "round-trip",
    "shown-behind",
    "desyncs",
  ];
  for (const id of readings) {
    await arena.untilReading(id, Number.isFinite, `#${id} is a number`);
  }
  for (const id of ["members", "in-view", "tick-rate", "snapshots", "received", "tick-bytes"]) {
    await arena.untilReading(id, (value) => value > 0, `#${id} is more than 0`);
  }
  await arena.untilReading("objects", (value) => value > 1_000, "all of the arena is counted");
  assert.ok((await arena.reading("in-view")) < 400, "of a thousand only those in view are told");
  assert.equal(await arena.reading("desyncs"), 0);
});

test("objects move on the canvas", async () => {
  await arena.pixelsChanged();
  const changed = await until(
    () => arena.pixelsChanged(),
    (pixels) => pixels > 1_000,
    "the canvas changes",
  );
  const { width, height } = await arena.canvasBox();
  assert.ok(changed < (width * height) / 2, "only objects move, not everything");
});

test("the whole arena is on the map", async () => {
  assert.ok(await arena.page.locator("#minimap").isVisible());
  const dark = () =>
    arena.page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>("#minimap")!;
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d")!.getImageData(0, height / 2, width, height / 2);
      return data.filter((value, i) => i % 4 === 3 && value > 0).length;
    });
  await until(dark, (pixels) => pixels > 500, "the lower half of the map has come");
});

test("who has absorbed fragments in view is listed", async () => {
  const count = () => arena.page.locator("#score-list li").count();
  await until(count, (lines) => lines > 0, "somebody is listed");
  assert.match(await arena.text("score-text"), /^\d+$/);
});

test("a chosen name is the player's, and is kept", async () => {
  const { page } = arena;
  await page.locator("#name").fill("Zoë with a name too long");
  await page.keyboard.press("Enter");
  await until(() => arena.ownName(), (name) => name === "Zoë with a nam", "the room knows the name");
  await page.reload();
  await until(() => arena.ownName(), (name) => name === "Zoë with a nam", "and knows it again");
  await page.locator("#name").fill("da");
  assert.equal(await page.locator("#name").inputValue(), "da", "letters that steer are letters here");
  await page.keyboard.press("Enter");
  await until(() => arena.ownName(), (name) => name === "da", "another name is taken");
});

/** Holds a steer to the right until the player has followed it, then one to the left. */
async function followsSteering(hold: (side: "left" | "right") => Promise<() => Promise<void>>) {
  for (const side of ["left", "right", "left"] as const) {
    const from = await arena.own();
    const release = await hold(side);
    if (side === "left" && from.x < 300) {
      // Hardly any room there: it may only get away from the edge next.
      await release();
      continue;
    }
    const sign = side === "left" ? -1 : 1;
    await until(
      () => arena.own(),
      ({ x }) => (x - from.x) * sign > 60,
      `the player goes ${side} from ${from.x}, ${from.y}`,
    );
    await release();
  }
}

test("the player follows the keys", async () => {
  const { keyboard } = arena.page;
  for (const keys of [
    { left: "ArrowLeft", right: "ArrowRight" },
    { left: "a", right: "d" },
  ]) {
    await followsSteering(async (side) => {
      await keyboard.down(keys[side]);
      return () => keyboard.up(keys[side]);
    });
  }
});

test("the player follows a held pointer", async () => {
  const { mouse } = arena.page;
  const box = await arena.canvasBox();
  await followsSteering(async (side) => {
    const x = side === "left" ? box.x + 4 : box.x + box.width - 4;
    await mouse.move(x, box.y + box.height / 2);
    await mouse.down();
    return () => mouse.up();
  });
});

test("another member is counted, and missed when it leaves", async () => {
  const members = await arena.reading("members");
  const page = await browser.context.newPage();
  await page.goto(pageUrl);
  await new Arena(page).untilLive();
  await arena.untilReading("members", (value) => value > members, "the other is counted");
  await page.close();
  await arena.untilReading("members", (value) => value === members, "the other has left");
});

for (const [room, sentence] of [
  ["no-such-room", "There is no such room"],
  ["echo", "The room does not speak ringcast.v1"],
] as const) {
  test(`that "${room}" can't be joined is told in words, and not tried again`, async () => {
    const page = await browser.context.newPage();
    await page.goto(`${pageUrl}?room=${room}`);
    const other = new Arena(page);
    await until(
      () => other.text("notice-detail"),
      (text) => text === sentence,
      "the notice says what is wrong",
    );
    assert.equal(await other.text("notice-title"), "This room can't be joined");
    assert.equal(await other.text("connection"), "Ended");
    await page.close();
  });
}

test("a member who found no place in the arena is told so, and plays once there is one", async () => {
  const hint = "You are watching: the arena is full. Steer to come in once there is a place";
  const enter = async () => {
    const page = await browser.context.newPage();
    await page.goto(`${pageUrl}?room=duel`);
    return new Arena(page);
  };
  const shown = (member: Arena) => member.page.getByText(hint).isVisible();
  const player = await enter();
  await player.own();
  const watcher = await enter();
  await until(() => shown(watcher), Boolean, "the watcher is told");
  if (process.env["RINGCAST_SCREENSHOT_WATCHING"] !== undefined) {
    await watcher.page.screenshot({ path: process.env["RINGCAST_SCREENSHOT_WATCHING"] });
  }
  assert.equal(await shown(player), false);
  await player.page.close();
  // Whether the place is free yet is not told.
  const comesIn = async () => {
    await watcher.page.keyboard.press("d", { delay: 100 });
    return (await watcher.page.locator("#arena").getAttribute("aria-label")) ?? "";
  };
  await until(comesIn, (label) => label.includes("You are"), "the watcher comes in");
  await until(() => shown(watcher), (seen) => !seen, "the hint is gone");
  await watcher.page.close();
});

test("a room that sends everything to everyone looks the same", async () => {
  const page = await browser.context.newPage();
  await page.goto(`${pageUrl}?room=plain`);
  const plain = new Arena(page);
  await plain.untilLive();
  await plain.own();
  await plain.untilReading("objects", (value) => value >= 50, "its objects are counted");
  assert.equal(await plain.text("desyncs"), "–");
  assert.equal(await page.locator("#minimap").isVisible(), false, "all of it is on the screen");
  assert.equal(await page.locator("#score").isVisible(), false, "it tells no scores");
  await page.close();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`the texts can be read, ${colorScheme}`, async () => {
    await arena.page.emulateMedia({ reducedMotion: "reduce", colorScheme });
    // WCAG 2: 4.5, and 3 for figures as large as the score's.
    for (const [ground, parts, least] of [
      ["html", ".panel dt, .panel dd, .panel h2, .panel li, .unit, .server", 4.5],
      ["html", ".room, .connection, .name input, .score", 4.5],
      ["html", ".score-figure", 3],
      [".steering", ".steering, .steering kbd", 4.5],
      [".notice", ".notice-title, .notice-detail", 4.5],
      [".notice button", ".notice button", 4.5],
    ] as const) {
      const contrast = await leastContrast(arena.page, ground, parts);
      assert.ok(contrast >= least, `contrast of ${parts}: ${contrast}`);
    }
  });
}

for (const [device, width, height] of [
  ["a phone", 390, 844],
  ["a small phone", 320, 568],
  ["a phone on its side", 844, 390],
  ["a small window", 1024, 640],
] as const) {
  test(`fits ${device}`, async () => {
    const { page } = arena;
    await page.setViewportSize({ width, height });
    await arena.untilLive();
    const scrollWidth = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(scrollWidth, width);
    for (const id of ["connection", "name", "arena", "minimap", "received", "tick-bytes", "age-p99", "members"]) {
      const box = await page.locator(`#${id}`).boundingBox();
      assert.ok(box !== null, `#${id} is visible`);
      assert.ok(
        box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height,
        `#${id} is within the window`,
      );
    }
    const age = (await page.locator(".figures > div").last().boundingBox())!;
    const readings = (await page.locator(".readings").boundingBox())!;
    assert.ok(
      age.x + age.width <= readings.x || age.y + age.height <= readings.y,
      "the age and the other readings do not overlap",
    );
    const canvas = await arena.canvasBox();
    assert.ok(canvas.width * canvas.height > (width * height) / 3, "the arena has the most room");
    await page.setViewportSize({ width: 1440, height: 900 });
  });
}

test("nothing was complained of, and nothing fetched from elsewhere", () => {
  assert.deepEqual(complaints, []);
});

test("a picture of it can be taken", async (context) => {
  const path = process.env["RINGCAST_SCREENSHOT"];
  if (path === undefined) {
    context.skip("RINGCAST_SCREENSHOT is not set");
    return;
  }
  const { page } = arena;
  await page.emulateMedia({ reducedMotion: "no-preference", colorScheme: "dark" });
  const { x } = await arena.own();
  const key = x < 800 ? "d" : "a";
  await page.keyboard.down(key);
  await until(() => arena.own(), (own) => Math.abs(own.x - x) > 60, "the player moves");
  const picture = await page.screenshot({ path });
  await page.keyboard.up(key);
  assert.ok(picture.length > 10_000);
});
