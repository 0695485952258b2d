// Draws what /live/events says, once a second. Charts remember the last two minutes of this page.
"use strict";

const REMEMBERED = 120;
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 60;

const byId = (id) => document.getElementById(id);

/** As many digits as an eye takes in. */
function number(value) {
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return value >= 10 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1);
}
const bytes = (value) => `${number(value)}B`.replace(/^(\d+)B$/, "$1 B");
function duration(us) {
  if (us === 0) return "0";
  if (us >= 1e6) return `${(us / 1e6).toFixed(2)} s`;
  if (us >= 1e3) return `${(us / 1e3).toFixed(us >= 1e4 ? 1 : 2)} ms`;
  return `${us.toFixed(us >= 10 ? 0 : 1)} µs`;
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
function shape(tag, className) {
  const made = document.createElementNS(SVG, tag);
  made.setAttribute("class", className);
  return made;
}
function line(className) {
  const made = shape("line", className);
  made.setAttribute("x1", "0");
  made.setAttribute("x2", String(WIDTH));
  return made;
}

/** A card with a chart of up to two figures against a bound, and named readings. */
class Card {
  constructor(parent, names) {
    this.title = element("h3");
    this.headline = element("span", { className: "headline" });
    this.svg = shape("svg", "chart");
    this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    this.bound = line("budget");
    const base = line("base");
    base.setAttribute("y1", String(HEIGHT));
    base.setAttribute("y2", String(HEIGHT));
    this.low = shape("polyline", "p50");
    this.high = shape("polyline", "p99");
    this.svg.append(base, this.bound, this.low, this.high);
    this.readings = new Map();
    const list = element("dl", { className: "readings" });
    for (const name of names) {
      const value = element("dd");
      this.readings.set(name, value);
      list.append(element("div", {}, element("dt", { textContent: name }), value));
    }
    this.why = element("p", { className: "why", hidden: true });
    this.root = element("article", { className: "card" },
      element("header", {}, this.title, this.headline), this.why, this.svg, list);
    parent.append(this.root);
    this.history = [];
  }

  name(text, detail) {
    this.title.replaceChildren(text, " ", element("small", { textContent: detail }));
    this.root.dataset.name = text;
  }

  /** `low` may be null: one figure only. */
  chart(low, high, bound, label) {
    this.history.push([low, high]);
    if (this.history.length > REMEMBERED) this.history.shift();
    const top = Math.max(bound * 1.1, ...this.history.map(([, value]) => value));
    const y = (value) => (HEIGHT - (value / top) * HEIGHT).toFixed(1);
    const first = REMEMBERED - this.history.length;
    const points = (which) => this.history
      .map((values, at) => `${((first + at) / (REMEMBERED - 1) * WIDTH).toFixed(1)},${y(values[which])}`)
      .join(" ");
    if (low !== null) this.low.setAttribute("points", points(0));
    this.high.setAttribute("points", points(1));
    this.bound.setAttribute("y1", y(bound));
    this.bound.setAttribute("y2", y(bound));
    this.svg.setAttribute("aria-label", label);
  }

  /** `why`: what is wrong, in words; empty when nothing is. */
  say(headline, why, readings) {
    this.headline.textContent = headline;
    this.headline.classList.toggle("over", why !== "");
    this.why.textContent = why;
    this.why.hidden = why === "";
    for (const [name, text] of Object.entries(readings)) {
      this.readings.get(name).textContent = text;
    }
  }
}

/** Cards by key; those that are not asked for any more go. */
class Cards {
  constructor(parent, names) {
    this.parent = parent;
    this.names = names;
    this.cards = new Map();
  }

  show(list, keyOf, draw) {
    const keys = new Set(list.map(keyOf));
    for (const [key, card] of this.cards) {
      if (keys.has(key)) continue;
      card.root.remove();
      this.cards.delete(key);
    }
    for (const item of list) {
      const key = keyOf(item);
      if (!this.cards.has(key)) this.cards.set(key, new Card(this.parent, this.names));
      draw(this.cards.get(key), item);
    }
  }
}

const rooms = new Cards(byId("rooms"), ["Members", "Tick p50", "Tick p95", "Tick p99", "Left out",
  "Waited", "Late p99", "Step", "Marshal", "Frame", "Broadcast", "Snapshot", "Backlog"]);
const cores = new Cards(byId("cores"), ["Sessions", "Frames/s", "Sent/s", "Received/s", "Age p50",
  "Age p99", "Write p99", "Submit p99", "Replaced/s", "Held/s", "Blocked/s", "Backlog", "In flight",
  "Frame memory", "Allocations/s"]);

/** Why a room's headline is red. */
function whyRoom(room) {
  const reasons = [];
  if (room.handed_over_us.p99 > room.budget_us) {
    reasons.push("its slowest ticks take longer than the time between two");
  }
  if (room.overrun > 0) {
    const ticks = room.overrun === 1 ? "1 tick was" : `${number(room.overrun)} ticks were`;
    reasons.push(`${ticks} left out in the last second, since their time had passed`);
  }
  if (room.held_up > 0) reasons.push(`${number(room.held_up)} of them since another room held the core`);
  if (room.rested > 0) {
    reasons.push(`${number(room.rested)} ticks were left out since its own take too long for a core that it shares`);
  }
  if (room.waited > 0) {
    const ticks = room.waited === 1 ? "1 tick" : `${number(room.waited)} ticks`;
    reasons.push(`${ticks} began late since frames of the one before were still to be sent`);
  }
  const text = reasons.join("; ");
  return text === "" ? "" : `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function drawRoom(card, room) {
  const { p50, p95, p99 } = room.handed_over_us;
  const where = room.spread ? "every core" : `core ${room.core}`;
  card.name(room.name, `${room.simulation}, ${room.rate_hz} Hz, ${where}`);
  const label = `Tick time p99 ${duration(p99)} of ${duration(room.budget_us)}`;
  card.chart(p50, p99, room.budget_us, label);
  card.say(`${duration(p99)} of ${duration(room.budget_us)}`, whyRoom(room), {
    "Members": number(room.members),
    "Tick p50": duration(p50),
    "Tick p95": duration(p95),
    "Tick p99": duration(p99),
    "Left out": number(room.overrun + room.rested),
    "Waited": number(room.waited),
    "Late p99": duration(room.lateness_us.p99),
    "Step": duration(room.stages_us.step),
    "Marshal": duration(room.stages_us.marshal),
    "Frame": duration(room.stages_us.frame),
    "Broadcast": duration(room.stages_us.broadcast),
    "Snapshot": bytes(room.snapshot_bytes),
    "Backlog": bytes(room.backlog_bytes),
  });
}

function drawCore(card, core) {
  const percent = core.busy * 100;
  card.name(`core ${core.core}`, `${core.rooms} room${core.rooms === 1 ? "" : "s"} at home`);
  card.chart(null, percent, 100, `Busy ${percent.toFixed(0)} %`);
  const why = percent > 85 ? "Little of its time is left: ticks will come late." : "";
  const still = core.stands_still;
  card.say(still ? "stands still" : `${percent.toFixed(0)} % busy`, still || why, {
    "Sessions": number(core.sessions),
    "Frames/s": number(core.frames_per_s),
    "Sent/s": bytes(core.bytes_per_s),
    "Received/s": bytes(core.received_bytes_per_s),
    "Age p50": duration(core.age_us.p50),
    "Age p99": duration(core.age_us.p99),
    "Write p99": duration(core.write_us.p99),
    "Submit p99": duration(core.submit_us.p99),
    "Replaced/s": number(core.replaced_per_s),
    "Held/s": number(core.held_per_s),
    "Blocked/s": number(core.blocked_per_s),
    "Backlog": bytes(core.backlog_bytes),
    "In flight": number(core.operations_in_flight),
    "Frame memory": bytes(core.frame_memory_used_bytes),
    "Allocations/s": number(core.allocations_per_s),
  });
}

function drawSlowest(slowest) {
  const cell = (text) => element("td", { textContent: text });
  byId("slowest").replaceChildren(...slowest.map((session) => element("tr", {},
    cell(`${session.session} on core ${session.core}`),
    cell(session.room),
    cell(String(session.member)),
    cell(duration(session.waiting_ms * 1e3)),
    cell(String(session.behind_ticks)),
    cell(session.backlog_frames === 0 ? "none"
      : `${number(session.backlog_frames)} in ${bytes(session.backlog_bytes)}`))));
  byId("no-slowest").hidden = slowest.length !== 0;
}

function draw(report) {
  const sum = (name) => report.cores.reduce((total, core) => total + core[name], 0);
  byId("version").textContent = report.version;
  state(report.readiness);
  byId("total-sessions").textContent = number(sum("sessions"));
  byId("total-frames").textContent = number(sum("frames_per_s"));
  byId("total-bytes").textContent = bytes(sum("bytes_per_s"));
  byId("total-age").textContent = duration(Math.max(0, ...report.cores.map((core) => core.age_us.p99)));
  byId("total-backlog").textContent = bytes(sum("backlog_bytes"));
  rooms.show(report.rooms, (room) => room.name, drawRoom);
  cores.show(report.cores, (core) => core.core, drawCore);
  drawSlowest(report.slowest);
  const leftOut = byId("rooms-left-out");
  leftOut.hidden = report.rooms_left_out === 0;
  leftOut.textContent = `And ${report.rooms_left_out} more rooms, in the cores' figures only.`;
}

function state(name) {
  const words = { starting: "Starting", serving: "Serving", draining: "Draining", lost: "No answer" };
  byId("state").textContent = words[name];
  byId("state").dataset.state = name;
}

const events = new EventSource("/live/events");
events.addEventListener("message", (event) => draw(JSON.parse(event.data)));
events.addEventListener("error", () => state("lost"));
