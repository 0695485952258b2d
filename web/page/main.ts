// The page: a client of the room ?room=NAME (arena). What it receives goes into a feed, the feed's
// scene is drawn at display rate, and what the player wants is sent back.
import { Client, type ConnectionState, type Welcome } from "../client";
import { encodeInput } from "./arena_state";
import { Camera } from "./camera";
import { ConnectionNotice } from "./connection_notice";
import { Effects } from "./effects";
import { find, findCanvas } from "./find";
import { Minimap } from "./minimap";
import { Panel, type Arrival } from "./panel";
import { PlainFeed } from "./plain_feed";
import { PlayerName } from "./player_name";
import { Renderer } from "./renderer";
import { ReplicatedFeed } from "./replicated_feed";
import { NotAnArena, totalOf, type Feed, type Mark, type Scene, type Size } from "./scene";
import { Scoreboard } from "./scoreboard";
import { InputThrottle, Steering, type Direction } from "./steering";

const panelIntervalMs = 200;
/** A change of what the screen shows that is worth a message, in units. */
const viewChangeMin = 16;

const room = new URLSearchParams(location.search).get("room") ?? "arena";
/** Behind '#': no server and no proxy is told. */
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const canvas = findCanvas("arena");
const renderer = new Renderer(canvas);
const minimap = new Minimap(findCanvas("minimap"));
const camera = new Camera();
const steering = new Steering(canvas);
const effects = new Effects();
const panel = new Panel();
const scoreboard = new Scoreboard();
const hint = find("steering");
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

let feed: PlainFeed | ReplicatedFeed | undefined;
let shown: Scene | undefined;
let viewTold: Size | undefined;
let placeExpectedByTick = Infinity;

const client = new Client({
  url: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/rooms/${encodeURIComponent(room)}`,
  ...(token === null ? {} : { token }),
  handlers: {
    onState,
    onSnapshot(snapshot) {
      if (feed instanceof PlainFeed) take(feed, (to) => to.takeSnapshot(snapshot), snapshot);
    },
    onEvent(event) {
      if (feed instanceof PlainFeed) take(feed, (to) => to.takeEvent(event));
    },
    onFrame(frame) {
      if (feed instanceof ReplicatedFeed) take(feed, (to) => to.takeFrame(frame), frame);
    },
  },
});
const notice = new ConnectionNotice(() => client.connect());
const input = new InputThrottle((direction) => {
  const sent = client.sendInput(encodeInput(direction));
  if (sent) hint.classList.add("known"); // whoever steers needs no hint
  return sent;
});
/** The name that the room has for us: what is chosen while offline is told when back. */
let nameTold = "";
const playerName = new PlayerName((name) => tellName(name, input.standing));

function onState(state: ConnectionState): void {
  notice.show(state, performance.now());
  if (state.phase !== "open") return;
  const { welcome } = state;
  panel.clear();
  input.reset();
  viewTold = undefined;
  placeExpectedByTick = welcome.tick + welcome.rateHz; // within a second
  find("server").textContent = `ringcast ${welcome.serverVersion} · ${welcome.rateHz} Hz`;
  if (playerName.value !== "" || nameTold !== "") {
    tellName(playerName.value, { dx: 0, dy: 0 });
  }
  // Who is back and has missed nothing knows what it knew.
  if (feed instanceof PlainFeed && welcome.eventsComplete) {
    feed.resume();
    return;
  }
  effects.clear();
  feed = undefined;
  feed = feedOf(welcome);
}

function tellName(name: string, { dx, dy }: Direction): void {
  if (client.sendInput(encodeInput({ dx, dy, name }))) nameTold = name;
}

function feedOf(welcome: Welcome): PlainFeed | ReplicatedFeed {
  const mark = (what: Mark) => effects.add(what, performance.now());
  if (welcome.replicationSchema.length === 0) return new PlainFeed(welcome.memberId, mark);
  return new ReplicatedFeed(welcome.rateHz, mark);
}

/** Gives a feed what has come for it; `arrival`: what the panel measures of it. */
function take<Kind extends Feed>(to: Kind, give: (to: Kind) => void, arrival?: Arrival): void {
  orEnd(() => {
    give(to);
    if (arrival === undefined) return;
    notice.news(arrival.receivedAtMs);
    panel.arrived(arrival);
  });
}

/** Leaves the room, with a sentence, when it turns out to be something else. */
function orEnd(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof NotAnArena)) throw error;
    client.close("this page draws arenas, and the room is none");
  }
}

function drawFrame(): void {
  requestAnimationFrame(drawFrame);
  const nowMs = performance.now();
  panel.frame(nowMs);
  shown = feed?.scene(nowMs);
  if (shown === undefined) return;
  const { arena, own } = shown;
  camera.update(arena, renderer.size, own, nowMs);
  input.offer(steering.wish(own && camera.project(own)), nowMs);
  const { pointer } = steering;
  const calm = reducedMotion.matches;
  renderer.draw(
    { scene: shown, pointer, effects: effects.current(nowMs), calm },
    camera,
    nowMs,
  );
}

/** Tells the room how much the screen shows, when that has changed: it tells of no more. */
function tellView(): void {
  if (!(feed instanceof ReplicatedFeed)) return;
  const { width, height } = camera.wanted;
  const change = Math.max(
    Math.abs(width - (viewTold?.width ?? 0)),
    Math.abs(height - (viewTold?.height ?? 0)),
  );
  if (change < viewChangeMin) return;
  const view = { width: Math.round(width), height: Math.round(height) };
  if (client.sendInput(encodeInput({ ...input.standing, view }))) viewTold = view;
}

/** The arena in words. Read out when asked for, not as it changes. */
function describe({ discs, own }: Scene, members: number | undefined): void {
  const called = own === undefined || own.name === "" ? "" : `${own.name}, `;
  const place =
    own === undefined ? "" : ` You are ${called}at ${Math.round(own.x)}, ${Math.round(own.y)}.`;
  const crowd = members === undefined ? "" : `, members: ${members}`;
  canvas.setAttribute("aria-label", `The arena: objects in view: ${discs.length}${crowd}.${place}`);
}

function refresh(): void {
  const nowMs = performance.now();
  const serverNowMs = client.serverTimeMs(nowMs);
  const shownMs = feed?.shownServerTimeMs(nowMs);
  const map = feed?.map();
  panel.render(
    {
      bytesReceived: client.traffic.bytesReceived,
      tick: client.newestTick,
      members: feed?.members,
      inView: shown?.discs.length,
      objects: map && totalOf(map),
      roundTripMs: client.roundTripMs,
      shownBehindMs:
        serverNowMs === undefined || shownMs === undefined ? undefined : serverNowMs - shownMs,
      desyncs: feed?.desyncs,
    },
    nowMs,
  );
  notice.refresh(nowMs);
  const watches = feed?.watches === true && (client.newestTick ?? 0) > placeExpectedByTick;
  hint.classList.toggle("watching", watches);
  if (shown === undefined) return;
  describe(shown, feed?.members);
  scoreboard.render(shown);
  minimap.draw(shown, map, camera);
  tellView();
}

find("room").textContent = room;
client.connect();
requestAnimationFrame(drawFrame);
setInterval(refresh, panelIntervalMs);
