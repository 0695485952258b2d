"""Measures what it costs to send one snapshot to everybody: `ringcast serve` against both floors and the
peers of bench/peers, one table. See docs/performance.md.

Parts are measured one by one (--only) and kept in the JSON file, so that a table may be filled in several
runs; what is printed is all that the file has.
"""

import argparse
import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys

from measuring import (RING_TO_EPOLL_MAX, ROOT, Case, Floor, Server, Setup, Subject, add_arguments,
                       frame_bytes, load_command, measure, print_table, setup_of, write_json)

COSTS = {"1000": Case(1_000, 60), "4000": Case(4_000, 30), "8000": Case(8_000, 15)}
SATURATION = Case(4_000, 60)   # more than one core's ring can do
HALF_LOAD = Case(2_000, 60)
JOINING_AT_ONCE = 1_000
PARTS = [*COSTS, "saturation", "cores", "lateness", "joining", "strategies"]
PEERS = ["beast", "gorilla optimised", "ws", "gorilla naive"]

# What the server may cost of each subject's cost, and how much of the ring's frames a second it must do.
COST_MAX = {"ring": 1.10, "beast": 0.70, "gorilla optimised": 0.57, "gorilla naive": 0.30}
SATURATION_MIN = 0.90
RING_DELIVERS_MIN = 0.90  # of the frames due, below saturation
TWO_CORES_MAX = 1.18


class Peer(Subject):
    def __init__(self, setup: Setup, case: Case, name: str, bytes_of_a_frame: int):
        super().__init__(setup, case)
        program, _, shape = name.partition(" ")
        command = {"beast": [str(setup.build / "bench/peers/beast")],
                   "gorilla": [str(ROOT / "build/peers/gorilla"), "--shape", shape],
                   # The page's runner resolves a path from its own folder.
                   "ws": ["node", str(ROOT / "web/scripts/run.mjs"), "../bench/peers/npm_ws/server.ts"]}
        self.launch([*command[program], "--listen", f"127.0.0.1:{self.port}",
                     "--rate-hz", str(case.rate_hz), "--bytes", str(bytes_of_a_frame),
                     "--seconds", "600"])


class JoinedServer(Server):
    """A crowd joins at once while the window is open."""

    def window_begins(self) -> None:
        super().window_begins()
        command = load_command(self.setup, self, JOINING_AT_ONCE, max(1, self.setup.seconds - 3))
        self.crowd = self.setup.on_cpu(self.setup.load_cpu, [*command, "--joins-per-s", "1000000"],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def finish(self) -> dict:
        report = json.loads(self.crowd.communicate(timeout=60)[0])
        return {**super().finish(), "joined": report["joined"], "join_ms": report["join_ms"]}


def subject(setup: Setup, case: Case, name: str, bytes_of_a_frame: int) -> Subject:
    if name == "server":
        return Server(setup, case)
    if name in ("ring", "epoll"):
        return Floor(setup, case, name, bytes_of_a_frame)
    return Peer(setup, case, name, bytes_of_a_frame)


def figures(result: dict) -> dict:
    return {"us": result["cpu_us_per_frame"], "frames_per_s": result["load"]["frames_per_s"],
            "delivered": result["load"]["delivered_ratio"], "frame_bytes": frame_bytes(result)}


def disturbed(case: Case, ring: dict, epoll: dict) -> str:
    """Why a round does not count; empty when it does."""
    if (ratio := ring["us"] / epoll["us"]) > RING_TO_EPOLL_MAX:
        return f"ring/epoll {ratio:.2f}"
    part = ring["frames_per_s"] / (case.clients * case.rate_hz)
    if case in COSTS.values() and part < RING_DELIVERS_MIN:
        return f"the ring delivered {part:.2f} of what it should"
    return ""


def one_round(setup: Setup, case: Case, peers: list[str]) -> dict | None:
    """Everybody in turn; nothing when the floor shows that the machine was disturbed."""
    rows = {"server": figures(measure(setup, Server(setup, case)))}
    for name in ["ring", "epoll", *peers]:
        rows[name] = figures(measure(setup, subject(setup, case, name, rows["server"]["frame_bytes"])))
        if name == "epoll" and (why := disturbed(case, rows["ring"], rows["epoll"])):
            print(f"  {case.name}: does not count, {why}", file=sys.stderr)
            return None
    print(f"  {case.name}: " + ", ".join(f"{name} {row['us']:.2f}" for name, row in rows.items()),
          file=sys.stderr)
    return rows


def compare(setup: Setup, case: Case, peers: list[str], rounds_wanted: int) -> dict:
    """Repeats until enough rounds are valid, twice as often at most."""
    valid, tried = [], 0
    while len(valid) < rounds_wanted and tried < 2 * rounds_wanted:
        tried += 1
        if (outcome := one_round(setup, case, peers)) is not None:
            valid.append(outcome)
    return {"name": case.name, "tried": tried, "rounds": valid}


def medians(part: dict) -> dict[str, dict]:
    """By subject, over the rounds that it was in; ratios are taken within a round."""
    def median(name: str, pick) -> float:
        return statistics.median(pick(one[name], one["server"]) for one in part["rounds"] if name in one)

    names = dict.fromkeys(name for one in part["rounds"] for name in one)
    return {name: {"us": median(name, lambda it, _: it["us"]),
                   "server_to_it": median(name, lambda it, server: server["us"] / it["us"]),
                   "frames_per_s": median(name, lambda it, _: it["frames_per_s"]),
                   "server_frames_to_it": median(
                       name, lambda it, server: server["frames_per_s"] / it["frames_per_s"]),
                   "delivered": median(name, lambda it, _: it["delivered"])} for name in names}


def two_cores(setup: Setup, rounds: int) -> dict:
    """A room spread over two cores against the same on one; the load is on the second CPU both times."""
    help_text = subprocess.run([str(setup.build / "ringcast"), "serve", "--help"], text=True,
                               stdout=subprocess.PIPE, check=True).stdout
    if "--cores" not in help_text:
        return {"skipped": "this build serves on one core"}
    both = f"{setup.server_cpu},{setup.load_cpu}"
    spread = dataclasses.replace(HALF_LOAD, cores=both, cpus=both)
    runs = [{"one": measure(setup, Server(setup, HALF_LOAD)), "two": measure(setup, Server(setup, spread))}
            for _ in range(rounds)]
    cost = {name: [run[name]["cpu_us_per_frame"] for run in runs] for name in ("one", "two")}
    return {"name": HALF_LOAD.name, "one_us": statistics.median(cost["one"]),
            "two_us": statistics.median(cost["two"]),
            "two_to_one": statistics.median(two / one for one, two in zip(cost["one"], cost["two"])),
            "delivered": statistics.median(run["two"]["load"]["delivered_ratio"] for run in runs)}


def lateness(setup: Setup, kind: type[Server], case: Case, rounds: int) -> dict:
    runs = [measure(setup, kind(setup, case)) for _ in range(rounds)]
    row = {"name": case.name, **{f"{name}_us": statistics.median(run["lateness_us"][name] for run in runs)
                                 for name in ("p50", "p99", "p999")}}
    if kind is JoinedServer:
        row["joined"] = min(run["joined"] for run in runs)
        row["join_max_ms"] = statistics.median(run["join_ms"]["max"] for run in runs)
    return row


def strategies(asked: argparse.Namespace) -> dict:
    script = ROOT / "bench/strategies.py"
    if not script.exists():
        return {"skipped": "there is no bench/strategies.py"}
    command = [sys.executable, str(script), "--build", str(asked.build)]
    status = subprocess.run([*command, "--quick"] if asked.quick else command, check=False).returncode
    return {"status": status}


def run_part(part: str, setup: Setup, asked: argparse.Namespace) -> dict:
    quick = Case(50, 60)
    peers = [name for name in asked.peer or PEERS if name != "none"]
    if part in COSTS:
        return compare(setup, quick if asked.quick else COSTS[part], peers, asked.rounds)
    if part == "saturation":
        return compare(setup, quick if asked.quick else SATURATION, peers, asked.rounds)
    if part == "cores":
        return two_cores(setup, asked.rounds)
    if part == "lateness":
        return lateness(setup, Server, quick if asked.quick else HALF_LOAD, asked.rounds)
    if part == "joining":
        return lateness(setup, JoinedServer, quick if asked.quick else COSTS["1000"], asked.rounds)
    return strategies(asked)


def print_costs(parts: dict) -> None:
    known = [parts[part] for part in COSTS if part in parts]
    if known:
        rows = [medians(one) for one in known]
        print_table(["CPU us a delivered frame (server's ratio)",
                     *(f"{one['name']}, rounds: {len(one['rounds'])} of {one['tried']}" for one in known)],
                    [[name, *(f"{row[name]['us']:.2f} ({row[name]['server_to_it']:.2f})"
                              if name in row else "-" for row in rows)]
                     for name in ["server", "ring", "epoll", *PEERS]])
    if one := parts.get("saturation"):
        print_table([f"one core, {one['name']}, rounds: {len(one['rounds'])} of {one['tried']}",
                     "frames a second", "server's ratio", "delivered of the ticks made"],
                    [[name, f"{row['frames_per_s']:,.0f}", f"{row['server_frames_to_it']:.2f}",
                      f"{row['delivered']:.3f}"] for name, row in medians(one).items()])


def print_rest(parts: dict) -> None:
    rows = []
    for part, what in (("cores", "two cores, spread room / one core, CPU a frame"),
                       ("lateness", "tick lateness"), ("joining", "tick lateness, 1,000 joining at once"),
                       ("strategies", "strategies")):
        one = parts.get(part)
        if one is None:
            continue
        if "skipped" in one:
            rows.append([what, f"not measured: {one['skipped']}"])
        elif part == "cores":
            rows.append([f"{what}, {one['name']}", f"{one['two_to_one']:.2f} ({one['two_us']:.2f} us"
                         f" / {one['one_us']:.2f} us), delivered {one['delivered']:.4f}"])
        elif part == "strategies":
            rows.append([what, f"./dev bench strategies, exit status {one['status']}"])
        else:
            joined = f", joined {one['joined']} within {one['join_max_ms']:.0f} ms" if "joined" in one else ""
            rows.append([f"{what}, {one['name']}", f"p50 {one['p50_us'] / 1e3:.2f} ms, p99 "
                         f"{one['p99_us'] / 1e3:.2f} ms, p99.9 {one['p999_us'] / 1e3:.2f} ms{joined}"])
    if rows:
        print_table(["what", "measured"], rows)


def shortfalls(parts: dict) -> list[str]:
    """The figures of docs/performance.md that were not reached."""
    missed = []
    compared = {part: medians(parts[part]) for part in (*COSTS, "saturation") if part in parts}
    for part, rows in compared.items():
        if not rows:
            missed.append(f"{parts[part]['name']}: no valid round of {parts[part]['tried']}")
    for part in COSTS:
        for name, row in compared.get(part, {}).items():
            if row["server_to_it"] > COST_MAX.get(name, float("inf")):
                missed.append(f"{parts[part]['name']}: server/{name} {row['server_to_it']:.2f}")
    ring = compared.get("saturation", {}).get("ring")
    if ring and ring["server_frames_to_it"] < SATURATION_MIN:
        missed.append(f"saturation: {ring['server_frames_to_it']:.2f} of the ring's frames")
    if parts.get("cores", {}).get("two_to_one", 0) > TWO_CORES_MAX:
        missed.append(f"two cores: {parts['cores']['two_to_one']:.2f} of one core's cost")
    return missed


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, "bench-fanout")
    parser.add_argument("--only", choices=PARTS, action="append",
                        help="these parts alone; may be repeated")
    parser.add_argument("--peer", choices=[*PEERS, "none"], action="append",
                        help="these peers alone; may be repeated")
    parser.add_argument("--add", action="store_true",
                        help="add the rounds to those that the JSON file has of the same parts")
    return parser.parse_args()


def known_parts(path: pathlib.Path) -> dict:
    return json.loads(path.read_text())["parts"] if path.exists() else {}


def main() -> int:
    asked = arguments()
    if asked.quick:
        asked.rounds, asked.json = 1, asked.json.with_suffix(".quick.json")
    parts = known_parts(asked.json)
    for part in asked.only or PARTS:
        outcome, before = run_part(part, setup_of(asked), asked), parts.get(part, {})
        if asked.add and "rounds" in before and "rounds" in outcome:
            outcome["rounds"] = before["rounds"] + outcome["rounds"]
            outcome["tried"] += before["tried"]
        parts[part] = outcome
        write_json(asked.json, {"parts": parts})
    print_costs(parts)
    print_rest(parts)
    missed = [] if asked.quick else shortfalls(parts)
    for one in missed:
        print(f"not reached: {one}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
