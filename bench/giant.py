"""Ten thousand objects in one replicated room: what each member gets, in how many bytes, how old, and what it
costs the server, beside plain broadcast and the floor's raw ring with as many bytes to as many.

A case is measured alone with --case NAME, and kept in the JSON file beside those measured before; what is printed
is what was measured now. CPU time is taken as elsewhere in bench/; the simulation's own step, which is taken off,
is that of the same discs in a plain arena without members. Where others on the machine had the CPU of the server or
of the load, or the load alone filled its CPU, the row says so and its ages and costs do not count.
See docs/performance.md.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import time

from measuring import (Case, Floor, Server, Setup, Subject, add_arguments, load_command, loaded, print_table,
                       setup_of, write_json)

OBJECTS, MEMBERS, RATE_HZ = 10_000, 2_500, 60
TURNS_PER_S = 2
READERS = 100                    # clients that decode all and check digests; the others read ticks
DISCS_A_SCREEN = 50              # of 1,600 x 900, as in the default arena
ON_THE_WIRE = 90                 # Ethernet, IPv4 and TCP with timestamps around a segment
SEGMENT_BYTES = 1_448
PLAIN_OBJECT_BYTES = 26          # of a disc in a plain snapshot, measured by itself
WAITED_MAX, LOAD_BUSY_MAX = 0.05, 0.90
JOINING = 1_000
SLOW_BYTES_PER_S = (3_000, 2_000, 1_200, 600, 200)  # of the tenth that is slow, in equal parts


@dataclasses.dataclass(frozen=True)
class Room(Case):
    bots: int = 0
    discs_a_screen: float = DISCS_A_SCREEN
    replicated: bool = True
    players_beside: int = 0   # who come later, and have a disc as well

    @property
    def objects(self) -> int:
        return self.bots + self.clients

    def size(self) -> tuple[int, int]:
        screens = max(1.0, self.objects / self.discs_a_screen)
        return round(1_600 * screens ** 0.5), round(900 * screens ** 0.5)


class Arena(Server):
    """The room, replicated or plain."""

    log_level = "error"  # ticks that are left out show in the row

    def parameters(self) -> str:
        room = self.case
        width, height = room.size()
        players = room.clients + room.players_beside if room.replicated else 0
        return (f"bots = {room.bots}, players = {players}, fragments = 0, "
                f"width = {width}, height = {height}, replicated = {int(room.replicated)}")

    def total(self, name: str) -> float:
        """Of a counter within the window, over all cores and labels."""
        return sum(value for metric, value in self.within.items() if metric.partition("{")[0] == f"ringcast_{name}")


class JoinedArena(Arena):
    """A crowd joins in a second while the window is open."""

    def window_begins(self) -> None:
        super().window_begins()
        self.crowd = crowd(self.setup, self, JOINING, max(1, self.setup.seconds - 3), "--joins-per-s", str(JOINING))

    def joined(self) -> int:
        return json.loads(self.crowd.communicate(timeout=60)[0])["joined"]


def command(setup: Setup, subject: Subject, clients: int, seconds: int) -> list[str]:
    return [*load_command(setup, subject, clients, seconds), "--inputs-per-s", str(TURNS_PER_S),
            "--read-one-in", str(max(1, clients // READERS))]


def crowd(setup: Setup, subject: Subject, clients: int, seconds: int, *arguments: str) -> subprocess.Popen:
    """Others beside those that are measured."""
    return setup.on_cpu(setup.load_cpu, [*command(setup, subject, clients, seconds), *arguments],
                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def own_step_s(setup: Setup, room: Room) -> float:
    """The mean of the simulation's own step: the same discs in a plain arena that nobody is in."""
    alone_there = dataclasses.replace(room, clients=0, bots=room.objects, replicated=False, cores="", cpus="")
    arena = Arena(setup, alone_there)
    try:
        time.sleep(0.5)
        arena.window_begins()
        time.sleep(2)
        arena.window_ends()
    finally:
        arena.finish()
    return arena.total("room_step_seconds_sum") / max(1.0, arena.total("room_step_seconds_count"))


def limited_by(run: dict) -> str:
    """Why ages and costs of a run mean nothing; empty where they do."""
    if run["waited"] > WAITED_MAX:
        return f"the machine: others had the server's CPU for {run['waited']:.0%} of the time that it wanted it"
    if run["load_waited"] > WAITED_MAX:
        return f"the machine: others had the load's CPU for {run['load_waited']:.0%} of the time that it wanted it"
    if run["load_busy"] > LOAD_BUSY_MAX:
        return f"the load: it was busy for {run['load_busy']:.0%} of the time"
    return ""


def on_the_wire(stream_bytes: float) -> float:
    """WebSocket frames of so many bytes as Ethernet carries them."""
    return stream_bytes + ON_THE_WIRE * max(1, -(-int(stream_bytes) // SEGMENT_BYTES))


def figures(room: Room, arena: Arena, run: dict, step_s: float) -> dict:
    report = run["load"]
    replicated = report["replicated"]
    payload = replicated["payload_bytes"]
    # What WebSocket and the envelope add: pongs and the like are few enough.
    stream = report["bytes_per_s"] / report["frames_per_s"]
    around = stream - payload["mean"]
    per = lambda part, whole: arena.total(part) / max(1.0, arena.total(whole))
    ticks = arena.total("room_ticks_total")
    frames = max(1, report["frames"])
    return {"members": report["joined"], "objects": room.objects, "rate_hz": room.rate_hz,
            "delivered": report["delivered_ratio"], "ticks": ticks,
            "age_us": {name: report["age_us"][name] for name in ("p50", "p99")},
            "wire_bytes": {name: round(on_the_wire(payload[name] + around), 1) for name in ("mean", "p99", "max")},
            "payload_bytes": payload, "objects_in_view": replicated["objects_in_view"],
            "oldest_ticks": replicated["oldest_ticks"],
            "plain_to_payload": replicated["objects_in_view"] * PLAIN_OBJECT_BYTES / payload["mean"],
            "bits_per_object": 8 * per("replicated_objects_kept_bytes_total", "replicated_objects_kept_total"),
            "encodings_per_cell": per("replicated_blocks_encoded_total", "replicated_cells_encoded_total"),
            "frame_bytes": round(stream),
            "server_busy": run["cpu_seconds"] / report["seconds"], "own_step_us": 1e6 * step_s,
            "step_us": 1e6 * per("room_step_seconds_sum", "room_step_seconds_count"),
            "server_cpu_us": 1e6 * (run["cpu_seconds"] - step_s * ticks) / frames,
            "floor_cpu_us": None, "frames_per_s": report["frames_per_s"],
            "desyncs": replicated["desyncs"], "resyncs": arena.total("resyncs_total"),
            "waited": run["waited"], "load_busy": run["load_busy"], "load_waited": run["load_waited"],
            "limited_by": limited_by(run)}


def cpu_us_of_all(arena: Arena, run: dict, step_s: float) -> float:
    """Of a frame, where not only those who are measured are sent some."""
    cpu_s = run["cpu_seconds"] - step_s * arena.total("room_ticks_total")
    return 1e6 * cpu_s / max(1.0, arena.total("replicated_frames_total"))


def played(setup: Setup, room: Room, kind: type[Arena] = Arena) -> tuple[Arena, dict]:
    arena = kind(setup, room)
    run = loaded(setup, arena, command(setup, arena, room.clients, setup.seconds))
    return arena, run


def alone(setup: Setup, room: Room) -> dict:
    """The room with nothing beside it."""
    step_s = own_step_s(setup, room)
    arena, run = played(setup, room)
    arena.finish()
    return figures(room, arena, run, step_s)


def beside(setup: Setup, room: Room, result: dict) -> dict:
    """Plain broadcast and the raw ring, with frames of the same size to as many."""
    plain_room = Room(room.clients, room.rate_hz, bots=plain_bots(result["frame_bytes"]), replicated=False)
    plain, plain_run = played(setup, plain_room)
    plain.finish()
    floor = Floor(setup, room, "ring", result["frame_bytes"])
    floor_run = loaded(setup, floor, command(setup, floor, room.clients, setup.seconds))
    floor.finish()
    plain_age = plain_run["load"]["age_us"]
    plain_bytes = plain_run["load"]["bytes_per_s"] / plain_run["load"]["frames_per_s"]
    why = [f"{name}: {limited_by(run)}" for name, run in (("plain", plain_run), ("floor", floor_run))
           if limited_by(run)]
    return {"plain_age_us": {name: plain_age[name] for name in ("p50", "p99")},
            "plain_delivered": plain_run["load"]["delivered_ratio"], "plain_frame_bytes": round(plain_bytes),
            "plain_cpu_us": plain_run["cpu_us_per_frame"], "floor_cpu_us": floor_run["cpu_us_per_frame"],
            "floor_delivered": floor_run["load"]["delivered_ratio"],
            "age_p99_to_plain": result["age_us"]["p99"] / plain_age["p99"],
            "cpu_to_plain": result["server_cpu_us"] / plain_run["cpu_us_per_frame"],
            "cpu_to_floor": result["server_cpu_us"] / floor_run["cpu_us_per_frame"],
            "limited_by": "; ".join(filter(None, [result["limited_by"], *why]))}


def plain_bots(frame_bytes: int) -> int:
    """With so many a plain snapshot is about that long: 22 bytes are around them."""
    return max(1, round((frame_bytes - 22) / PLAIN_OBJECT_BYTES))


def median_of(rounds: list[dict], by: str) -> dict:
    """The round in the middle, of those that nothing disturbed where there are any."""
    valid = [one for one in rounds if not one["limited_by"]] or rounds
    chosen = sorted(valid, key=lambda one: one[by])[(len(valid) - 1) // 2]
    return {**chosen, "rounds": len(rounds), "rounds_valid": sum(not one["limited_by"] for one in rounds)}


def bots(asked: argparse.Namespace, setup: Setup) -> dict:
    room = Room(asked.members, RATE_HZ, bots=3 * asked.members)
    rounds = []
    for _ in range(asked.rounds):
        result = alone(setup, room)
        rounds.append({**result, **beside(setup, room, result)})
    return median_of(rounds, "cpu_to_floor")


def steered(asked: argparse.Namespace, setup: Setup) -> dict:
    """Every disc is a member's, in a world as much smaller."""
    return alone(setup, Room(asked.members, RATE_HZ))


def slow(asked: argparse.Namespace, setup: Setup) -> dict:
    """A tenth reads slowly, in five ways. What is told is what the others see."""
    each = max(1, asked.members // 10 // len(SLOW_BYTES_PER_S))
    healthy = asked.members - each * len(SLOW_BYTES_PER_S)
    room = Room(asked.members, RATE_HZ, bots=3 * asked.members)
    step_s = own_step_s(setup, room)
    arena = Arena(setup, room)
    slow_ones = [crowd(setup, arena, each, setup.seconds + 8, "--slow", str(each), "--slow-bytes-per-s", str(rate))
                 for rate in SLOW_BYTES_PER_S]
    time.sleep(2)
    run = loaded(setup, arena, command(setup, arena, healthy, setup.seconds))
    for one in slow_ones:
        one.terminate()
    reports = [json.loads(one.communicate(timeout=60)[0]) for one in slow_ones]
    arena.finish()
    result = {**figures(room, arena, run, step_s), "server_cpu_us": cpu_us_of_all(arena, run, step_s)}
    result["members"] += sum(report["joined"] for report in reports)
    result["desyncs"] += sum(report["replicated"]["desyncs"] for report in reports if report["replicated"])
    result["slow"] = [{"bytes_per_s": rate, "members": report["joined"],
                       "frames_per_s": report["frames_per_s"] / max(1, report["joined"]),
                       "age_p99_us": report["slow_age_us"]["p99"]}
                      for rate, report in zip(SLOW_BYTES_PER_S, reports)]
    return result


def half(_asked: argparse.Namespace, _setup: Setup) -> dict:
    return {"skipped": "a frame carries one tick: rooms have no setting for two ticks a frame"}


def crowd15(asked: argparse.Namespace, setup: Setup) -> dict:
    """As many members as there are objects, at a quarter of the rate."""
    return alone(setup, Room(4 * asked.members, RATE_HZ // 4))


def spread(asked: argparse.Namespace, setup: Setup) -> dict:
    """The same, in a room that two cores have. The load runs on the second one as well."""
    both = f"{setup.server_cpu},{setup.load_cpu}"
    return alone(setup, Room(4 * asked.members, RATE_HZ // 4, cores=both, cpus=both))


def join(asked: argparse.Namespace, setup: Setup) -> dict:
    """What those who are there notice of a thousand who join within a second."""
    playing = max(1, asked.members - JOINING)
    room = Room(playing, RATE_HZ, bots=3 * asked.members)
    step_s = own_step_s(setup, room)
    before_arena, before = played(setup, room)
    before_arena.finish()
    arena = JoinedArena(setup, dataclasses.replace(room, players_beside=JOINING))
    run = loaded(setup, arena, command(setup, arena, playing, setup.seconds))
    joined = arena.joined()
    arena.finish()
    age = {"before": before["load"]["age_us"]["p99"], "during": run["load"]["age_us"]["p99"]}
    why = limited_by(before) or limited_by(run)
    return {**figures(room, arena, run, step_s), "server_cpu_us": cpu_us_of_all(arena, run, step_s),
            "joined": joined, "age_p99_us": age,
            "age_p99_during_to_before": age["during"] / age["before"], "limited_by": why}


def crush(asked: argparse.Namespace, setup: Setup) -> dict:
    """Eight parts in ten of the members of other cases, all in one screen and nearly all of them bots."""
    everyone = 8 * asked.members // 10
    members = max(1, everyone // 20)
    return alone(setup, Room(members, RATE_HZ, bots=everyone - members, discs_a_screen=everyone))


def of_module(asked: argparse.Namespace, program: str, *arguments: str) -> list[dict]:
    path = asked.build / "bench/replication" / program
    output = subprocess.run([str(path), "--json", *arguments], text=True, stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def module(asked: argparse.Namespace, _setup: Setup) -> dict:
    """src/replication alone, nothing sent: ./dev bench replication."""
    return {"rows": of_module(asked, "bench_replication", str(4 * asked.members), str(asked.members))}


def situation(name: str):
    def run(asked: argparse.Namespace, _setup: Setup) -> dict:
        return next(one for one in of_module(asked, "situations", name) if one["name"] == name)
    return run


CASES = {"bots": bots, "steered": steered, "slow": slow, "half": half, "crowd15": crowd15, "spread": spread,
         "join": join, "crush": crush, "module": module, "walk": situation("walk"), "teleport": situation("teleport")}


@dataclasses.dataclass(frozen=True)
class Aim:
    case: str
    what: str
    bound: float
    pick: object                # the figure, out of a case's result
    at_least: bool = False
    timed: bool = False         # means nothing on a machine that is busy otherwise

    def judge(self, result: dict) -> tuple[str, float | None]:
        value = self.pick(result)
        if value is None:
            return "not measured", None
        met = value >= self.bound if self.at_least else value <= self.bound
        if not met and self.timed and result.get("limited_by"):
            return "not known: see what it was limited by", value
        return "yes" if met else "no", value


def module_row(name: str, figure: str):
    return lambda result: next((row[figure] for row in result["rows"] if row["name"] == name), None)


AIMS = [
    Aim("bots", "delivered", 0.99, lambda it: it["delivered"], at_least=True, timed=True),
    Aim("bots", "age p99, ms", 50, lambda it: it["age_us"]["p99"] / 1e3, timed=True),
    Aim("bots", "age p99 / plain broadcast's", 1.5, lambda it: it.get("age_p99_to_plain"), timed=True),
    Aim("bots", "server CPU a frame / the raw ring's", 1.30, lambda it: it.get("cpu_to_floor"), timed=True),
    Aim("bots", "wire bytes, mean", 195, lambda it: it["wire_bytes"]["mean"], timed=True),
    Aim("bots", "wire bytes, p99", 260, lambda it: it["wire_bytes"]["p99"], timed=True),
    Aim("bots", "plain snapshot of what is in view / payload", 16, lambda it: it["plain_to_payload"], at_least=True,
        timed=True),
    Aim("bots", "bits an object", 4.0, lambda it: it["bits_per_object"], timed=True),
    Aim("bots", "encodings of a cell in a tick", 1.2, lambda it: it["encodings_per_cell"], timed=True),
    Aim("bots", "desyncs", 0, lambda it: it["desyncs"]),
    Aim("steered", "wire bytes, mean", 208, lambda it: it["wire_bytes"]["mean"], timed=True),
    Aim("steered", "wire bytes, p99", 260, lambda it: it["wire_bytes"]["p99"], timed=True),
    Aim("steered", "bits an object", 6.0, lambda it: it["bits_per_object"], timed=True),
    Aim("steered", "desyncs", 0, lambda it: it["desyncs"]),
    Aim("slow", "encodings of a cell in a tick", 4, lambda it: it["encodings_per_cell"], timed=True),
    Aim("slow", "delivered to the others", 0.99, lambda it: it["delivered"], at_least=True, timed=True),
    Aim("slow", "desyncs", 0, lambda it: it["desyncs"]),
    Aim("crowd15", "delivered", 0.99, lambda it: it["delivered"], at_least=True, timed=True),
    Aim("crowd15", "desyncs", 0, lambda it: it["desyncs"]),
    Aim("spread", "delivered", 0.99, lambda it: it["delivered"], at_least=True, timed=True),
    Aim("spread", "desyncs", 0, lambda it: it["desyncs"]),
    Aim("join", "others' age p99, during / before", 2.0, lambda it: it["age_p99_during_to_before"], timed=True),
    Aim("join", "desyncs", 0, lambda it: it["desyncs"]),
    Aim("crush", "payload, max (the room's cap)", 1_200, lambda it: it["payload_bytes"]["max"]),
    Aim("crush", "oldest object in view, ticks (twice the history)", 62, lambda it: it["oldest_ticks"]["max"],
        timed=True),
    Aim("crush", "desyncs", 0, lambda it: it["desyncs"]),
    Aim("module", "encoding 10,000 objects, ms (bots)", 1.5, lambda it: module_row("bots", "encode_us")(it) / 1e3),
    Aim("module", "encoding 10,000 objects, ms (steered)", 1.5,
        lambda it: module_row("steered", "encode_us")(it) / 1e3),
    Aim("module", "composing, us a member (bots)", 0.3, module_row("bots", "compose_us")),
    Aim("module", "composing, us a member (steered)", 0.3, module_row("steered", "compose_us")),
    Aim("walk", "objects that left and entered again", 0, lambda it: it["entered_again"]),
    Aim("walk", "bytes / those of a walk inside", 1.3, lambda it: it["bytes_to_inside"]),
    Aim("teleport", "own object in the first frame", 1, lambda it: it["own_in_first"], at_least=True),
    Aim("teleport", "ticks until complete beyond what the cap asks for", 4, lambda it: it["ticks_beyond_cap_max"]),
]


def print_rooms(cases: dict) -> None:
    rows = []
    for name, one in cases.items():
        if "wire_bytes" not in one:
            continue
        floor = f"{one['floor_cpu_us']:.2f}" if one["floor_cpu_us"] else "-"
        rows.append([name, f"{one['members']:,}", f"{one['objects']:,}", str(one["rate_hz"]),
                     f"{one['delivered']:.4f}",
                     f"{one['age_us']['p50'] / 1e3:.1f}", f"{one['age_us']['p99'] / 1e3:.1f}",
                     f"{one['wire_bytes']['mean']:.0f}", f"{one['wire_bytes']['p99']:.0f}",
                     f"{one['payload_bytes']['mean']:.0f}", f"{one['payload_bytes']['p99']:.0f}",
                     f"{one['objects_in_view']:.0f}", f"{one['bits_per_object']:.2f}",
                     f"{one['encodings_per_cell']:.2f}", f"{one['server_cpu_us']:.2f}", floor,
                     f"{one['server_busy']:.2f}", f"{one['load_busy']:.2f}", str(one["desyncs"]),
                     one["limited_by"] or "-"])
    if rows:
        print_table(["case", "members", "objects", "Hz", "delivered", "age p50 ms", "p99", "wire bytes mean", "p99",
                     "payload mean", "p99", "in view", "bits an object", "encodings a cell", "server us a frame",
                     "ring us", "core busy", "load busy", "desyncs", "limited by"], rows)


def print_aims(cases: dict) -> list[str]:
    """What was not reached, though nothing but the server can have been the reason."""
    rows, missed = [], []
    for aim in AIMS:
        result = cases.get(aim.case)
        if result is None or "skipped" in result:
            continue
        verdict, value = aim.judge(result)
        rows.append([aim.case, aim.what, "-" if value is None else f"{value:,.4g}",
                     f"{'at least' if aim.at_least else 'at most'} {aim.bound:,g}", verdict])
        if verdict == "no":
            missed.append(f"{aim.case}: {aim.what} {value:.4g}")
    for name, result in cases.items():
        if "skipped" in result:
            rows.append([name, "left out", "-", "-", result["skipped"]])
    print_table(["case", "figure", "measured", "aim", "met"], rows)
    return missed


def known_cases(path: pathlib.Path) -> dict:
    return {name: one for name, one in json.loads(path.read_text()).items() if name in CASES} if path.exists() else {}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, "bench-giant")
    parser.set_defaults(rounds=1)
    parser.add_argument("--case", choices=list(CASES), action="append", help="these cases alone; may be repeated")
    parser.add_argument("--members", type=int, default=MEMBERS,
                        help=f"of the larger cases, and of everything else in proportion (default: {MEMBERS})")
    asked = parser.parse_args()
    if asked.quick:
        asked.members, asked.json = 100, asked.json.with_suffix(".quick.json")
    kept, measured = known_cases(asked.json), {}
    for name in asked.case or CASES:
        print(f"  {name}", file=sys.stderr)
        measured[name] = CASES[name](asked, setup_of(asked))
        kept[name] = measured[name]
        write_json(asked.json, kept)
    print_rooms(measured)
    missed = print_aims(measured)
    if asked.quick or asked.members != MEMBERS:
        return 0
    for one in missed:
        print(f"not reached: {one}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
