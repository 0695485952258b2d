// The page: a client of the room ?room=NAME (arena), what it receives drawn at display rate, what the
// player wants sent back.
import { Client, InterpolationBuffer, type RoomEvent, type Snapshot } from "../client";
import {
  arenaObject,
  blendStates,
  decodeEvent,
  encodeInput,
  lazyState,
  type ArenaState,
  type LazyState,
  type Shown,
} from "./arena_state";
import { Camera } from "./camera";
import { ConnectionNotice } from "./connection_notice";
import { Effects } from "./effects";
import { EventLog } from "./event_log";
import { find, findCanvas } from "./find";
import { Panel } from "./panel";
import { Renderer } from "./renderer";
import { InputThrottle, Steering } from "./steering";

const panelIntervalMs = 200;

const room = new URLSearchParams(location.search).get("room") ?? "arena";
const canvas = findCanvas("arena");
const renderer = new Renderer(canvas);
const camera = new Camera();
const steering = new Steering(canvas);
const effects = new Effects();
const panel = new Panel();
const eventLog = new EventLog(find("events"));
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const buffer = new InterpolationBuffer<LazyState>();

let newest: LazyState | undefined;
let drawable = false; // the room of this session has been seen to be an arena
let ownMember: number | undefined;
let ownObject: number | undefined;
let ownShown: Shown | undefined;
let placeExpectedByTick = Infinity;

const client = new Client({
  url: `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/rooms/${encodeURIComponent(room)}`,
  handlers: {
    onState(state) {
      notice.show(state, performance.now());
      if (state.phase !== "open") return;
      buffer.clear();
      panel.clear();
      input.reset();
      drawable = false;
      // Who is back and has missed nothing knows what it knew.
      if (!state.welcome.eventsComplete) forgetEvents();
      ownMember = state.welcome.memberId;
      placeExpectedByTick = state.welcome.tick + state.welcome.rateHz; // within a second
      find("server").textContent =
        `ringcast ${state.welcome.serverVersion} · ${state.welcome.rateHz} Hz`;
    },
    onSnapshot: takeSnapshot,
    onEvent: takeEvent,
  },
});
const notice = new ConnectionNotice(() => client.connect());
const input = new InputThrottle(({ dx, dy }) => {
  const sent = client.sendInput(encodeInput(dx, dy));
  if (sent) find("steering").classList.add("known"); // whoever steers needs no hint
  return sent;
});

function forgetEvents(): void {
  effects.clear();
  eventLog.clear();
  newest = undefined;
  ownObject = undefined;
}

function takeSnapshot(snapshot: Snapshot): void {
  const state = lazyState(snapshot.payload);
  try {
    if (!drawable) state();
    drawable = true;
  } catch {
    client.close("this page draws arenas, and the room is none");
    return;
  }
  newest = state;
  notice.news(snapshot.receivedAtMs);
  buffer.push(snapshot.serverTimeMs, snapshot.receivedAtMs, newest);
  panel.snapshot(snapshot);
}

function takeEvent({ tick, payload }: RoomEvent): void {
  const nowMs = performance.now();
  let event;
  try {
    event = decodeEvent(payload);
  } catch {
    client.close("this page draws arenas, and the room is none");
    return;
  }
  panel.event(nowMs);
  eventLog.add(tick, event);
  if (event.case === "created" && event.value.object !== undefined) {
    const { id, x, y, radius } = arenaObject(event.value.object);
    if (event.value.memberId === ownMember) ownObject = id;
    const at = { x, y };
    effects.add({ style: "appear", at, into: at, radius, startedAtMs: nowMs });
  } else if (event.case === "deleted") {
    if (event.value.id === ownObject) ownObject = undefined;
    const objects = newest?.().objects;
    const gone = objects?.get(event.value.id);
    if (gone === undefined) return;
    const into = objects?.get(event.value.absorbedBy);
    effects.add({
      style: into === undefined ? "burst" : "absorb",
      at: gone,
      into: into ?? gone,
      radius: gone.radius,
      startedAtMs: nowMs,
    });
  }
}

function drawFrame(): void {
  requestAnimationFrame(drawFrame);
  const nowMs = performance.now();
  panel.frame(nowMs);
  const blend = buffer.sample(nowMs);
  if (blend === undefined) return;
  const arena = blend.to();
  const shown = blendStates(blend);
  const own = shown.find(({ object }) => object.id === ownObject);
  camera.update(arena, renderer.size, own, nowMs);
  input.offer(steering.wish(own && camera.project(own)), nowMs);
  const { pointer } = steering;
  const calm = reducedMotion.matches;
  renderer.draw(
    { arena, shown, ownId: ownObject, pointer, effects: effects.current(nowMs), calm },
    camera,
    nowMs,
  );
  ownShown = own;
}

/** The arena in words. Read out when asked for, not as it changes. */
function describeArena({ objects, members }: ArenaState): void {
  const place =
    ownShown === undefined
      ? ""
      : ` You are at ${Math.round(ownShown.x)}, ${Math.round(ownShown.y)}.`;
  const text = `The arena: objects: ${objects.size}, members: ${members}.${place}`;
  canvas.setAttribute("aria-label", text);
}

function refreshPanel(): void {
  const nowMs = performance.now();
  const serverNowMs = client.serverTimeMs(nowMs);
  const shownMs = buffer.shownServerTimeMs(nowMs);
  const state = newest?.();
  panel.render(
    {
      bytesReceived: client.traffic.bytesReceived,
      tick: client.newestTick,
      members: state?.members,
      objects: state?.objects.size,
      roundTripMs: client.roundTripMs,
      shownBehindMs:
        serverNowMs === undefined || shownMs === undefined ? undefined : serverNowMs - shownMs,
    },
    nowMs,
  );
  if (state !== undefined) describeArena(state);
  eventLog.render();
  notice.refresh(nowMs);
  const watching = ownObject === undefined && (client.newestTick ?? 0) > placeExpectedByTick;
  find("steering").classList.toggle("watching", watching);
}

find("room").textContent = room;
client.connect();
requestAnimationFrame(drawFrame);
setInterval(refreshPanel, panelIntervalMs);
