import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { ReplicationReader, SchemaError } from "../client";
import { FrameWriter, writeSchema, zigzag, type WrittenSchema } from "./frame_writer";
import { fromHex, type Told } from "./replication_told";

// Cells of 64 quanta, four by four of them; a disc takes 10 bits an axis.
const written: WrittenSchema = {
  axes: [
    [-8, 247.75],
    [0, 255.75],
  ],
  resolution: 0.25,
  rootBits: 8,
  layers: 3,
  historyTicks: 7,
  overview: [2, 2],
  classes: [
    {
      name: "disc",
      fields: [
        { name: "radius", kind: 0, flags: 0, range: [1, 11, 0.5] },
        { name: "alert", kind: 1, flags: 0, range: [0, 1, 1] },
        {
          name: "mood",
          kind: 2,
          flags: 0,
          range: [0, 2, 1],
          enumerators: ["calm", "glad", "grün"],
        },
        { name: "health", kind: 0, flags: 2, range: [0, 100, 1] },
      ],
    },
    { name: "shot", fields: [] },
    { name: "wheel", fields: [{ name: "angle", kind: 0, flags: 1, range: [0, 360, 0.5] }] },
  ],
  reasons: ["removed", "absorbed"],
};
const schema = writeSchema(written);

type Shapes = {
  disc: { radius: number; alert: boolean; mood: "calm" | "glad" | "grün"; health: number };
  shot: Record<string, never>;
  wheel: { angle: number };
};

/** A cell of level 0 at a place, in layer 1. */
const address = (frame: FrameWriter, x = 1, y = 2): FrameWriter =>
  frame.bits(0, 5).bits(x, 2).bits(y, 2).bits(1, 2);

/** Goes on, and has these. */
const extra = (view: boolean, overview: boolean, digest: boolean) =>
  new FrameWriter().goesOn([view, overview, digest]);

/** No own part before, and none now; all cells have blocks. */
const noOwn = (frame: FrameWriter): FrameWriter => frame.flag(false).flag(true);

/** A shot enters a cell, not moving: `gap` is of its id. */
const shotEnters = (frame: FrameWriter, gap: number, x: number, y: number): FrameWriter =>
  frame
    .expGolomb(gap, 8)
    .flag(false)
    .flag(true)
    .bits(1, 2)
    .flag(false)
    .bits(x, 10)
    .bits(y, 10)
    .flag(false);

/** Anew at a tick: one cell, filled, with shots of the ids 5 and 6. */
function twoShots(tick: number): Uint8Array {
  const frame = noOwn(
    address(new FrameWriter().anew(tick, [true, false, false]).count(0).count(1)),
  );
  shotEnters(frame.count(2), 5, 300, 600);
  return shotEnters(frame, 1, 400, 700).flag(true).bytes();
}

const read = (reader: ReplicationReader<Shapes>, frame: FrameWriter | Uint8Array) =>
  reader.read(frame instanceof FrameWriter ? frame.bytes() : frame);
const readOk = (reader: ReplicationReader<Shapes>, frame: FrameWriter | Uint8Array) =>
  assert.equal(read(reader, frame), "ok", reader.fault);
const ids = (objects: Iterable<{ readonly id: number }>) => [...objects].map(({ id }) => id).sort();

// Frames.

test("an own disc is told field by field, and typed by its class", () => {
  const reader = new ReplicationReader<Shapes>(schema);
  const frame = new FrameWriter()
    .anew(2 ** 40 + 7)
    .flag(true)
    .count(1)
    .expGolomb(9, 8);
  // Owned, moving by (2, -1) and before that by (1, -1); radius 3, alert, grün, health 55.
  frame.bits(0, 2).flag(true).bits(100, 10).bits(200, 10).flag(true);
  frame.expGolomb(zigzag(2), 4).expGolomb(zigzag(1), 1);
  frame.expGolomb(zigzag(-1), 4).expGolomb(zigzag(0), 1);
  frame.bits(4, 5).bits(1, 1).bits(2, 2).bits(55, 7).flag(true);
  readOk(reader, frame);
  assert.equal(reader.tick, 2 ** 40 + 7);
  assert.deepEqual(ids(reader.entered), [9]);
  const [disc] = reader.ofClass("disc");
  assert.ok(disc !== undefined && disc.owned && disc.held);
  assert.equal(disc.number(0), -8 + 100 * 0.25);
  assert.equal(disc.number(1), 200 * 0.25);
  assert.equal(disc.get("radius"), 3);
  assert.equal(disc.get("alert"), true);
  assert.equal(disc.get("mood"), "grün");
  assert.equal(disc.get("health"), 55);
  // In the next tick it is where it goes by itself: 2 and 7/8 of one, rounded down, further.
  const next = new FrameWriter().goesOn().count(0).count(0).unary(0).residual(0).residual(0);
  readOk(reader, next.count(0).flag(true));
  assert.equal(disc.quantum(0), 102);
  assert.equal(disc.quantum(1), 199);
  assert.deepEqual(ids(reader.changed), [9]);
  assert.deepEqual([...reader.ofClass("wheel")], []);
  assert.throws(() => new ReplicationReader(schema).ofClass("square"), RangeError);
  assert.throws(() => reader.find(9)!.get("colour"), RangeError);
  assert.throws(() => disc.number(6), RangeError);
});

test("prediction reaches as far back as the history does, and not a tick further", () => {
  /** Of an own shot whose x was 100, 120 and 150 at the ticks 60, 63 and 66. */
  const predictedAt = (tick: number, historyTicks: number) => {
    const reader = new ReplicationReader<Shapes>(writeSchema({ ...written, historyTicks }));
    const first = new FrameWriter().anew(60).flag(true).count(1).expGolomb(9, 8).bits(1, 2);
    readOk(reader, first.flag(false).bits(100, 10).bits(200, 10).flag(false).flag(true));
    const step = (toTick: number, off: number) => {
      const next = new FrameWriter()
        .goesOn(undefined, toTick - reader.tick - 1)
        .count(0)
        .count(0);
      readOk(reader, next.unary(2).residual(off, 2).residual(0, 2).count(0).flag(true));
    };
    step(63, 20);
    step(66, 10);
    const shot = reader.find(9)!;
    assert.equal(shot.quantum(0), 150);
    step(tick, 0);
    return shot.quantum(0);
  };
  // It goes on by 30 for three ticks, and by seven eighths of 10 more: its speed was 20 before.
  assert.equal(predictedAt(69, 10), 188);
  assert.equal(predictedAt(69, 9), 180, "the third tick is too old");
  assert.equal(predictedAt(70, 8), 190);
  assert.equal(predictedAt(70, 7), 150, "the second is");
});

test("who has ended leaves with a reason, at once, and no list brings it back", () => {
  const reader = new ReplicationReader<Shapes>(schema);
  readOk(reader, twoShots(50));
  assert.deepEqual(ids(reader.objects()), [5, 6]);
  // In another cell the end of 6 is told while the first has no block.
  const frame = address(extra(true, false, false).count(0).count(1), 0, 0);
  frame.flag(false).flag(false).flag(false).flag(true);
  frame.count(1).expGolomb(6, 8).flag(false).flag(false).bits(1, 8).flag(true);
  const six = reader.find(6)!;
  readOk(reader, frame);
  assert.deepEqual(
    reader.left.map(({ object, reason, reasonName }) => [object, reason, reasonName]),
    [[six, 1, "absorbed"]],
  );
  assert.equal(six.held, false);
  assert.equal(reader.find(6), undefined);
  assert.deepEqual(ids(reader.ofClass("shot")), [5]);
  // The first cell still has it, and tells where both of its shots are.
  const later = noOwn(new FrameWriter().goesOn()).count(0).count(0).unary(0);
  for (let i = 0; i < 4; i++) later.residual(1);
  readOk(reader, later.count(0).count(0));
  assert.deepEqual(ids(reader.objects()), [5]);
  assert.deepEqual(ids(reader.changed), [5]);
});

test("a reason that the schema does not name is told by its number", () => {
  const reader = new ReplicationReader<Shapes>(schema);
  readOk(reader, twoShots(50));
  const frame = noOwn(new FrameWriter().goesOn()).count(1).expGolomb(0, 2).flag(true).bits(77, 8);
  frame.count(0).unary(0).residual(0).residual(0).count(0);
  readOk(reader, frame);
  assert.deepEqual(
    reader.left.map(({ reason, reasonName }) => [reason, reasonName]),
    [[77, "77"]],
  );
});

test("who is in no list is out of view when every cell has been told, or after the history", () => {
  const leaves = (later = 0) => {
    const reader = new ReplicationReader<Shapes>(schema);
    // Two cells; the second is never filled.
    const frame = new FrameWriter().anew(50, [true, false, false]).count(0).count(2);
    noOwn(address(address(frame), 3, 3)).count(1);
    shotEnters(frame, 5, 300, 600).flag(true).count(0).flag(false);
    readOk(reader, frame);
    // It leaves the first, whose block alone comes.
    const gone = new FrameWriter().goesOn(undefined, later).flag(false).flag(false);
    gone.flag(true).flag(false).count(1).expGolomb(0, 2).flag(false).count(0);
    readOk(reader, gone);
    return reader;
  };
  const nothing = (later = 0) => new FrameWriter().goesOn(undefined, later).flag(false).bits(0, 3);
  {
    const reader = leaves();
    assert.deepEqual(ids(reader.objects()), [5], "it may be in the second");
    const told = new FrameWriter().goesOn().flag(false).flag(false).flag(false).flag(true);
    readOk(reader, told.count(0).flag(true));
    assert.deepEqual(
      reader.left.map(({ reason }) => reason),
      [undefined],
    );
  }
  {
    const reader = leaves();
    readOk(reader, nothing(5));
    assert.deepEqual(ids(reader.objects()), [5], "six ticks");
    readOk(reader, nothing());
    assert.deepEqual(ids(reader.left.map(({ object }) => object)), [5]);
  }
});

test("an overview comes row by row", () => {
  const reader = new ReplicationReader<Shapes>(schema);
  const row = (frame: FrameWriter, index: number, one: number, two: number) =>
    frame.bits(index, 6).expGolomb(one, 3).expGolomb(two, 3).flag(false).flag(true);
  readOk(reader, row(new FrameWriter().anew(9, [false, true, false]), 1, 3, 4_000_000_000));
  assert.deepEqual([...reader.overview], [0, 0, 3, 4_000_000_000]);
  readOk(reader, row(extra(false, true, false), 0, 7, 8));
  assert.deepEqual([...reader.overview], [7, 8, 3, 4_000_000_000]);
});

// What is no frame.

const addedCell = () => extra(true, false, false).count(0).count(1);
/** Both shots stay, and nothing changes but what the residuals say. */
const staying = () => noOwn(new FrameWriter().goesOn()).count(0).count(0).unary(0);
const stayed = () => staying().residual(0).residual(0).residual(0).residual(0);
const faults: [why: string, fault: RegExp, frame: () => FrameWriter][] = [
  ["no tick", /tick 0/, () => noOwn(new FrameWriter().anew(0))],
  ["nothing", /ends/, () => new FrameWriter()],
  ["a number of 33 bits", /32 bits/, () => new FrameWriter().flag(false).bits(0, 32).bits(-1, 33)],
  ["a number without an end", /longer/, () => new FrameWriter().flag(false).bits(0, 80)],
  ["a cell that is not there", /past/, () => extra(true, false, false).count(1).expGolomb(1, 2)],
  ["more cells dropped than there are", /positions/, () => extra(true, false, false).count(2)],
  ["a cell of no layer", /layer/, () => addedCell().bits(0, 5).bits(0, 4).bits(3, 2)],
  ["a cell split too far", /further/, () => addedCell().bits(31, 5).bits(0, 12).bits(0, 60)],
  [
    "more cells than there is room for",
    /room/,
    () => extra(true, false, false).count(0).count(5_000),
  ],
  ["an overview that is not there", /row/, () => extra(false, true, false).bits(2, 6).bits(0, 80)],
  [
    "a class that is not there",
    /class/,
    () => stayed().count(1).expGolomb(9, 8).flag(false).flag(true).bits(3, 2),
  ],
  ["an id of 0", /id/, () => stayed().count(1).expGolomb(0, 8)],
  [
    "an id above all",
    /id/,
    () => shotEnters(stayed().count(2), 4_000_000_000, 1, 1).expGolomb(400_000_000, 8),
  ],
  ["an id twice", /twice/, () => shotEnters(shotEnters(stayed().count(2), 8, 1, 1), 0, 1, 1)],
  ["an id that stays and enters", /twice/, () => shotEnters(stayed().count(1), 5, 1, 1)],
  ["an object known from nowhere", /known/, () => stayed().count(1).expGolomb(9, 8).flag(true)],
  ["a value below its range", /range/, () => staying().residual(0).residual(-601)],
  ["a value above its range", /range/, () => staying().residual(0).residual(424)],
  [
    "more who change than there are",
    /positions/,
    () => noOwn(new FrameWriter().goesOn()).count(0).count(3),
  ],
  [
    "a residual too long",
    /longer/,
    () => noOwn(new FrameWriter().goesOn()).count(0).count(0).unary(21),
  ],
  ["more objects than there is room for", /room/, () => stayed().count(70_000)],
  ["eight bits too many", /behind/, () => stayed().count(0).bits(0, 8)],
  [
    "a digest cut short",
    /ends/,
    () =>
      noOwn(extra(false, false, true))
        .count(0)
        .count(0)
        .unary(0)
        .bits(-1, 4)
        .count(0)
        .bits(0, 20),
  ],
  ["a view without its cell's block", /ends/, () => noOwn(address(addedCell())).count(0)],
];
for (const [why, fault, frame] of faults) {
  test(`what is no frame is refused and changes nothing: ${why}`, () => {
    const reader = new ReplicationReader<Shapes>(schema);
    readOk(reader, twoShots(50));
    assert.equal(read(reader, frame()), "malformed");
    assert.match(reader.fault, fault);
    assert.equal(reader.needsAnew, true);
    assert.equal(reader.tick, 50);
    assert.deepEqual(ids(reader.objects()), [5, 6]);
    assert.deepEqual([...reader.overview], [0, 0, 0, 0]);
    assert.deepEqual([reader.entered, reader.changed, reader.left], [[], [], []]);
    // What goes on is of no use, what begins anew is; who is still there has not entered again.
    assert.equal(read(reader, stayed().count(0)), "noBeginning");
    readOk(reader, twoShots(53));
    assert.equal(reader.needsAnew, false);
    assert.deepEqual([reader.entered, reader.left], [[], []]);
    assert.deepEqual(reader.counts, {
      frames: 2,
      malformed: 1,
      withoutBeginning: 1,
      digestsChecked: 0,
      desyncs: 0,
    });
  });
}

test("a cell outside of the space is none", () => {
  const narrow = writeSchema({
    ...written,
    axes: [
      [0, 150],
      [0, 150],
    ],
  });
  const reader = new ReplicationReader(narrow);
  const frame = (x: number) =>
    noOwn(address(new FrameWriter().anew(50, [true, false, false]).count(0).count(1), x, 0));
  assert.equal(reader.read(frame(3).count(0).flag(true).bytes()), "malformed");
  assert.match(reader.fault, /outside/);
  assert.equal(reader.read(frame(2).count(0).flag(true).bytes()), "ok");
});

test("a frame may be larger than all before, and hold more", () => {
  const reader = new ReplicationReader<Shapes>(schema);
  readOk(reader, twoShots(40));
  const frame = new FrameWriter().anew(50, [true, false, false]).count(0).count(1);
  const shots = 2_000;
  noOwn(address(frame)).count(shots);
  for (let i = 0; i < shots; i++) shotEnters(frame, 1, i % 1_024, 1_023 - (i % 1_024));
  const bytes = frame.flag(true).bytes();
  assert.ok(bytes.length > 8_192);
  readOk(reader, bytes);
  assert.equal(reader.size, shots);
  for (let i = 0; i < shots; i++) {
    const shot = reader.find(i + 1)!;
    assert.deepEqual([shot.quantum(0), shot.quantum(1)], [i % 1_024, 1_023 - (i % 1_024)]);
  }
  assert.equal(reader.read(new Uint8Array((1 << 24) + 1)), "malformed");
});

test("what is held is bounded as the reader is told", () => {
  for (const [limits, result] of [
    [{ objects: 2, cells: 1 }, "ok"],
    [{ objects: 1 }, "malformed"],
    [{ cells: 0 }, "malformed"],
  ] as const) {
    assert.equal(new ReplicationReader(schema, limits).read(twoShots(50)), result);
  }
});

test("a room that goes on from an earlier tick begins with nothing of before", () => {
  const reader = new ReplicationReader<Shapes>(schema);
  readOk(reader, twoShots(50));
  const before = reader.find(5)!;
  readOk(reader, twoShots(40));
  assert.equal(reader.tick, 40);
  assert.deepEqual(ids(reader.left.map(({ object }) => object)), [5, 6]);
  assert.deepEqual(ids(reader.entered), [5, 6]);
  assert.notEqual(reader.find(5), before);
});

const golden = JSON.parse(
  readFileSync(resolve("../tests/replication/golden/plain.json"), "utf8"),
) as Told;
const goldenFrames = golden.frames.map(({ hex }) => fromHex(hex));

test("a frame that ends early is refused, wherever it ends", () => {
  const reader = new ReplicationReader(fromHex(golden.schema));
  for (let length = 0; length < goldenFrames[0]!.length; length++) {
    assert.equal(reader.read(goldenFrames[0]!.subarray(0, length)), "malformed");
    assert.equal(reader.tick, 0);
  }
  for (let length = 0; length < goldenFrames[1]!.length; length++) {
    assert.equal(reader.read(goldenFrames[0]!), "ok");
    assert.equal(reader.read(goldenFrames[1]!.subarray(0, length)), "malformed");
  }
  assert.equal(reader.size, golden.frames[0]!.objects.length);
});

test("a digest that differs is counted, and all until a frame begins anew is refused", () => {
  const reader = new ReplicationReader(fromHex(golden.schema));
  assert.equal(reader.read(goldenFrames[0]!), "ok");
  const forged = goldenFrames[1]!.slice();
  forged[forged.length - 2]! ^= 0x10;
  assert.equal(reader.read(forged), "digestDiffers");
  assert.equal(reader.tick, golden.frames[1]!.tick);
  assert.equal(reader.counts.desyncs, 1);
  assert.equal(reader.needsAnew, true);
  assert.equal(reader.read(goldenFrames[2]!), "noBeginning");
  assert.equal(reader.needsAnew, true);
  assert.equal(reader.read(goldenFrames[0]!), "ok");
  assert.equal(reader.read(goldenFrames[1]!), "ok");
  assert.equal(reader.counts.desyncs, 1);
});

test("any single bit may be wrong: nothing is thrown, and what is held stays in its ranges", () => {
  const reader = new ReplicationReader(fromHex(golden.schema));
  const results = new Map<string, number>();
  for (const first of [0, 1, 5]) {
    const frame = goldenFrames[first]!;
    for (let bit = 0; bit < frame.length * 8; bit += first === 0 ? 7 : 1) {
      for (let i = 0; i < first; i++) reader.read(goldenFrames[i]!);
      const wrong = frame.slice();
      wrong[bit >>> 3]! ^= 1 << (bit & 7);
      const result = reader.read(wrong);
      results.set(result, (results.get(result) ?? 0) + 1);
      for (const object of reader.objects()) {
        object.class.values.forEach(({ most }, index) => {
          assert.ok(object.quantum(index) >= 0 && object.quantum(index) <= most);
        });
      }
    }
  }
  assert.ok(results.get("malformed")! > 100);
  assert.ok(results.get("digestDiffers")! > 100);
});

test("bytes that are no schema are refused by one sentence", () => {
  for (let length = 0; length < schema.length; length++) {
    assert.throws(() => new ReplicationReader(schema.subarray(0, length)), SchemaError);
  }
  const twice = Uint8Array.from([...schema, 0]);
  assert.throws(() => new ReplicationReader(twice), { name: "SchemaError", message: /too long/ });
  const wrong: [Partial<WrittenSchema>, RegExp][] = [
    [{ version: 2 }, /version/],
    [{ axes: [[0, 1]] }, /2 or 3 dimensions/],
    [
      {
        axes: [
          [0, 1],
          [1, 0],
        ],
      },
      /y has no range/,
    ],
    [
      {
        axes: [
          [0, 1],
          [0, NaN],
        ],
      },
      /y has no range/,
    ],
    [
      {
        axes: [
          [0, 1],
          [0, 2 ** 29],
        ],
      },
      /2\^30/,
    ],
    [{ resolution: 0 }, /range/],
    [{ rootBits: 3 }, /cells/],
    [{ rootBits: 11 }, /cells/],
    [
      {
        axes: [
          [0, 1e6],
          [0, 1e6],
        ],
      },
      /65,536/,
    ],
    [{ layers: 0 }, /layers/],
    [{ layers: 33 }, /layers/],
    [{ historyTicks: 6 }, /history/],
    [{ overview: [2, 0] }, /overview/],
    [{ overview: [65, 2] }, /overview/],
    [{ classes: [] }, /classes/],
    [
      { classes: [{ name: "a", fields: [{ name: "f", kind: 3, flags: 0, range: [0, 1, 1] }] }] },
      /kind/,
    ],
  ];
  for (const [part, message] of wrong) {
    const bytes = writeSchema({ ...written, ...part });
    assert.throws(() => new ReplicationReader(bytes), { name: "SchemaError", message });
  }
});

// What is drawn.

/** A wheel alone in a cell, told at ticks of its own. */
function wheelReader() {
  const reader = new ReplicationReader<Shapes>(schema);
  const frame = noOwn(address(new FrameWriter().anew(100, [true, false, false]).count(0).count(1)));
  frame.count(1).expGolomb(4, 8).flag(false).flag(true).bits(2, 2).flag(false);
  // At 400, 80 and 20 degrees; before that it went 4, 0 and 2 degrees a tick.
  frame.bits(400, 10).bits(80, 10).bits(40, 10).flag(true);
  for (const velocity of [4, 0, 4]) frame.expGolomb(zigzag(velocity), 4).expGolomb(0, 1);
  readOk(reader, frame.flag(true));
  const [wheel] = reader.ofClass("wheel");
  assert.ok(wheel !== undefined);
  /** Its x so much off from where it was predicted. */
  const step = (later: number, off: number) => {
    const next = noOwn(new FrameWriter().goesOn(undefined, later)).count(0).count(0);
    readOk(reader, next.unary(0).residual(off).residual(0).residual(0).count(0));
  };
  return { reader, wheel, step };
}

test("an object that enters moves from the first: it is known where it was", () => {
  const { wheel } = wheelReader();
  assert.equal(wheel.tick, 100);
  assert.equal(wheel.numberAt(0, 99.5), -8 + 398 * 0.25);
  assert.equal(wheel.numberAt(0, 99), -8 + 396 * 0.25);
  assert.equal(wheel.numberAt(0, 20), -8 + 396 * 0.25, "before that it stands");
  assert.equal(wheel.numberAt(2, 99.5), 19);
});

test("what moves is interpolated between the object's own ticks", () => {
  const { wheel, step } = wheelReader();
  step(0, 0);
  assert.equal(wheel.quantum(0), 404);
  step(3, 8);
  assert.equal(wheel.tick, 105);
  assert.equal(wheel.quantum(0), 428);
  for (const [tick, quantum] of [
    [99, 396],
    [100.25, 401],
    [101, 404],
    [102, 410],
    [104.5, 425],
    [105, 428],
  ] as const) {
    assert.equal(wheel.numberAt(0, tick), -8 + quantum * 0.25, `at ${tick}`);
  }
});

test("past its newest state it goes on for as long as the last two are apart, and within its range", () => {
  const { wheel, step } = wheelReader();
  assert.equal(wheel.numberAt(0, 100.5), -8 + 402 * 0.25);
  assert.equal(wheel.numberAt(0, 101), -8 + 404 * 0.25);
  assert.equal(wheel.numberAt(0, 150), -8 + 404 * 0.25);
  step(3, 0);
  assert.equal(wheel.quantum(0), 416);
  assert.equal(wheel.numberAt(0, 106), -8 + 424 * 0.25);
  assert.equal(wheel.numberAt(0, 110), -8 + 432 * 0.25);
  step(0, 1_000 - 420);
  assert.equal(wheel.quantum(0), 1_000);
  assert.equal(wheel.numberAt(0, 106), -8 + 1_023 * 0.25);
});

test("what is steady changes with the state, and is not mixed", () => {
  const reader = new ReplicationReader<Shapes>(schema);
  const frame = noOwn(address(new FrameWriter().anew(100, [true, false, false]).count(0).count(1)));
  frame.count(1).expGolomb(4, 8).flag(false).flag(true).bits(0, 2).flag(false);
  frame.bits(400, 10).bits(80, 10).flag(false).bits(4, 5).bits(0, 1).bits(1, 2).flag(true);
  readOk(reader, frame);
  const next = noOwn(new FrameWriter().goesOn(undefined, 1)).count(0).count(1).expGolomb(0, 2);
  // Radius 2.5 more, alert turns over, glad stays.
  next
    .flag(true)
    .expGolomb(zigzag(5) - 1, 2)
    .flag(true)
    .flag(false);
  readOk(reader, next.unary(2).residual(40, 2).residual(0, 2).count(0));
  const [disc] = reader.ofClass("disc");
  assert.equal(disc!.get("radius"), 5.5);
  assert.equal(disc!.get("alert"), true);
  assert.equal(disc!.numberAt(0, 101), -8 + 420 * 0.25);
  assert.equal(disc!.numberAt(2, 101.9), 3);
  assert.equal(disc!.numberAt(2, 102), 5.5);
  assert.equal(disc!.get("health"), 0);
});

test("of many states the latest are kept", () => {
  const { wheel, step } = wheelReader();
  for (let i = 0; i < 40; i++) step(0, 0);
  assert.equal(wheel.tick, 140);
  assert.equal(wheel.quantum(0), 560);
  assert.equal(wheel.numberAt(0, 132.5), -8 + 530 * 0.25);
  assert.equal(wheel.numberAt(0, 10), -8 + 500 * 0.25, "15 ticks back");
});
