"""What can a few do to everybody? A hundred healthy clients of an arena, before, while and after others do
their worst on the same core: their part of the snapshots and how old these are.

Each siege is a server of its own. Delivered should stay at 0.99 of the ticks or more and the age's p99 at
most double, everybody can join and nobody is closed; where arithmetic forbids that, the row says why. Ratios of
one round, and the median of the rounds.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import time

from measuring import (Case, Server, Setup, add_arguments, cpu_ns, load_command, print_table, scrape, setup_of,
                       write_json)

HEALTHY, RATE_HZ = 100, 60
AGE_TO_BEFORE_MAX = 2.0
SEND_TIMEOUT_S = 10  # the server's default, session.send_timeout_ms


@dataclasses.dataclass(frozen=True)
class Siege:
    says: str                       # what they do
    felt: str = ""                  # the counter by which the server knows of it
    rooms: str = ""                 # beside the arena, as TOML
    room: str = ""                  # which of them is besieged; empty: it besieges by itself
    crowd: tuple[str, ...] = ()     # arguments of the hostile crowd
    calm: tuple[str, ...] = ()      # of the same crowd before and after: what its mere presence costs is no siege
    delivered_min: float = 0.99
    slower: str = ""                # why the healthy may get less than 0.99
    settle_s: int = 2               # until they are at their worst
    messages_per_s: int = 0         # that the server must have been sent, by four fifths


def room(name: str, simulation: str, parameters: str) -> str:
    return f'[[room]]\nname = "{name}"\nsimulation = "{simulation}"\nparameters = {{ {parameters} }}\n'


OTHER = room("other", "arena", "replicated = 0, players = 0, fragments = 0")
ARENA = '{room="arena"'
READERS_OF_NOTHING = ("--does", "nothing", "--receive-buffer", "4096", "--returns")


def sieges(seconds: int) -> dict[str, Siege]:
    """`seconds`: of a window."""
    return {
        "non-readers": Siege(
            "600 members of a room with snapshots of 60 KB never read", "send_timeouts_total",
            room("large", "siege", "snapshot_bytes = 60000"), "large", ("--clients", "600", *READERS_OF_NOTHING),
            settle_s=SEND_TIMEOUT_S),
        "liars": Siege(
            "800 that never read acknowledge everything", "send_timeouts_total",
            room("large", "siege", "snapshot_bytes = 60000"), "large",
            ("--clients", "800", "--acknowledges", *READERS_OF_NOTHING), settle_s=SEND_TIMEOUT_S),
        "inputs": Siege(
            "2,000 members of another room send 119 inputs a second each", "arrivals_held_over_total", OTHER, "other",
            ("--does", "inputs", "--clients", "2000", "--per-second", "119"), delivered_min=0.95,
            messages_per_s=2_000 * 119),
        "inputs in the room": Siege(
            "2,000 members of their own room send 119 inputs a second each, before and after 10",
            "arrivals_held_over_total", "", "arena",
            ("--does", "inputs", "--clients", "2000", "--per-second", "119", "--acknowledges"),
            calm=("--does", "inputs", "--clients", "2000", "--per-second", "10", "--acknowledges"), delivered_min=0.95,
            messages_per_s=2_000 * 119),
        "pongs": Siege(
            "200 send 20,000 pongs a second each, and come back whenever they are closed",
            'sessions_closed_total{code="1008"}', OTHER, "other",
            ("--does", "pongs", "--clients", "200", "--per-second", "20000", "--returns")),
        "fragments": Siege(
            "200 send 20,000 empty fragments a second each, and come back", 'sessions_closed_total{code="1008"}',
            OTHER, "other", ("--does", "fragments", "--clients", "200", "--per-second", "20000", "--returns")),
        "slow room": Siege(
            "a room on the same core steps for 200 ms", "room_ticks_held_up_total",
            room("slow", "siege", "step_ms = 200"), delivered_min=0.87,
            slower="a step of 200 ms is 12 ticks of the arena, and the room may take a tenth of the core"),
        "throwing room": Siege(
            "a room on the same core throws", "rooms_failed_total",
            # In the middle of the window: a load joins and settles for about a second.
            room("throws", "siege", f"throws_in = {RATE_HZ * (1 + seconds) // 2 + RATE_HZ}")),
    }


class Besieged(Server):
    """With a simulation that is slow, large or throws; bench/siege/besieged.cpp."""

    load_may_be_harmed = True

    def __init__(self, setup: Setup, siege: Siege):
        self.siege = siege
        super().__init__(setup, Case(HEALTHY, RATE_HZ))

    def tables(self) -> str:
        return self.siege.rooms

    def launch(self, command: list[str], **options) -> None:
        command[0] = str(self.setup.build / "bench/siege/besieged")
        # What it has to say of its attackers is counted below.
        super().launch(command, stderr=subprocess.DEVNULL, **options)

    def counted(self) -> dict[str, float]:
        """Its counters, of all cores, rooms and frames together but by other labels."""
        totals: dict[str, float] = {}
        for sample, value in scrape(self.admin).items():
            name, _, labels = sample.removeprefix("ringcast_").partition("{")
            if not name.endswith("_total"):
                continue
            kept = [label for label in labels.rstrip("}").split(",")
                    if label and label.partition("=")[0] not in ("core", "room")]
            key = name + ("{" + ",".join(kept) + "}" if kept else "")
            totals[key] = totals.get(key, 0) + value
        return totals


def grown(now: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0) for name, value in now.items() if value > before.get(name, 0)}


def look(setup: Setup, server: Besieged) -> dict:
    """What the healthy clients of one load see, and what the server does meanwhile."""
    server.window_begins()
    before, cpu, began = server.counted(), cpu_ns(server.process.pid), time.monotonic()
    load = setup.on_cpu(setup.load_cpu, load_command(setup, server, HEALTHY, setup.seconds),
                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    report = json.loads(load.communicate(timeout=setup.seconds + 60)[0])
    took = time.monotonic() - began
    server.window_ends()
    return {"delivered": report["delivered_ratio"] or 0, "age_us": report["age_us"],
            "not_joined": report["join_failed"], "closed": sum(report["closed"].values()),
            "seconds": took, "core_busy": (cpu_ns(server.process.pid) - cpu) / 1e9 / took,
            "handed_over_us": server.microseconds(server.HANDED_OVER + ARENA),
            "lateness_us": server.microseconds(server.LATENESS + ARENA),
            "counters": grown(server.counted(), before)}


def look_beside(setup: Setup, server: Besieged, siege: Siege, crowd: tuple[str, ...]) -> tuple[dict, dict]:
    """The same while a crowd is there, and what that says of itself."""
    if not crowd:
        return look(setup, server), {}
    # It shares a CPU with the clients that are measured, and must not be what delays them; with --realtime these are
    # ahead of it anyway, and other work of the machine is behind.
    nice = "-15" if setup.realtime else "10"
    process = dataclasses.replace(setup, realtime=False).on_cpu(
        setup.load_cpu,
        ["nice", "-n", nice, str(setup.build / "bench/siege/crowd"), "--port", str(server.port), "--room", siege.room,
         *crowd],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stderr.readline()  # all have connected
    time.sleep(siege.settle_s)
    seen = look(setup, server)
    process.terminate()
    return seen, json.loads(process.communicate(timeout=60)[0])


def besiege(setup: Setup, siege: Siege) -> dict:
    server = Besieged(setup, siege)
    found = {}
    try:
        counted = server.counted()
        if siege.room:
            found["before"], _ = look_beside(setup, server, siege, siege.calm)
        found["during"], found["crowd"] = look_beside(setup, server, siege, siege.crowd)
        if siege.room:
            time.sleep(1)
            found["after"], _ = look_beside(setup, server, siege, siege.calm)
        found["counters"] = grown(server.counted(), counted)
    finally:
        server.process.terminate()
        server.process.wait(30)
    return found


def one_round(setup: Setup, siege: Siege) -> dict:
    found = besiege(setup, siege)
    if "before" not in found:
        # What besieges by itself has no before: it is held against a server with nothing but the arena.
        found["before"] = besiege(setup, Siege("nobody"))["during"]
    found["age_to_before"] = found["during"]["age_us"]["p99"] / max(1, found["before"]["age_us"]["p99"])
    found["felt"] = found["counters"].get(siege.felt, 0)
    return found


def messages_per_s(found: dict) -> float:
    counters = found["during"]["counters"]
    return sum(counters.get(name, 0) for name in ("messages_received_total", "inputs_rate_limited_total")
               ) / found["during"]["seconds"]


def shortfalls(siege: Siege, rounds: list[dict]) -> list[str]:
    missed = []
    for when in ("during", "after"):
        seen = [found[when] for found in rounds if when in found]
        if not seen:
            continue
        delivered = statistics.median(one["delivered"] for one in seen)
        if delivered < (siege.delivered_min if when == "during" else 0.99):
            missed.append(f"{when}: delivered {delivered:.3f}")
        harmed = sum(one["not_joined"] + one["closed"] for one in seen)
        if harmed:
            missed.append(f"{when}: {harmed} could not join or were closed")
    age = statistics.median(found["age_to_before"] for found in rounds)
    if age > AGE_TO_BEFORE_MAX:
        missed.append(f"age p99 {age:.1f} of before")
    if min(found["felt"] for found in rounds) == 0:
        missed.append(f"the server felt nothing: {siege.felt}")
    came = statistics.median(map(messages_per_s, rounds))
    if came < 0.8 * siege.messages_per_s:
        missed.append(f"no siege: of {siege.messages_per_s:,} messages a second {came:,.0f} came")
    return missed


def row(siege: Siege, rounds: list[dict]) -> list[str]:
    def cell(when: str) -> str:
        seen = [found[when] for found in rounds if when in found]
        if not seen:
            return ""
        delivered = statistics.median(one["delivered"] for one in seen)
        p50, p99 = (statistics.median(one["age_us"][quantile] for one in seen) / 1e3 for quantile in ("p50", "p99"))
        return f"{delivered:.3f}, {p50:.1f}, {p99:.1f}"

    def median(pick) -> float:
        return statistics.median(map(pick, rounds))

    late = [f"{median(lambda one: one[when][figure]['p99']) / 1e3:.1f}" if all(when in one for one in rounds) else ""
            for when in ("before", "during") for figure in ("lateness_us", "handed_over_us")]
    return [siege.says, *(cell(when) for when in ("before", "during", "after")),
            f"{median(lambda one: one['age_to_before']):.1f}", f"{late[0]}, {late[1]}", f"{late[2]}, {late[3]}",
            f"{median(lambda one: one['during']['core_busy']):.2f}", f"{median(messages_per_s):,.0f}",
            f"{median(lambda one: one['felt']):,.0f} {siege.felt}", siege.slower]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, "bench-siege")
    parser.add_argument("--only", choices=sieges(1), action="append", help="this siege; may be repeated")
    asked = parser.parse_args()
    setup = setup_of(asked)
    known = sieges(setup.seconds)
    results, rows, missed = {}, [], []
    for name in asked.only or known:
        siege = known[name]
        rounds = results[name] = []
        for number in range(1 if asked.quick else asked.rounds):
            rounds.append(one_round(setup, siege))
            seen = rounds[-1]["during"]
            print(f"  {name}, round {number + 1}: delivered {seen['delivered']:.3f}, age p99"
                  f" {rounds[-1]['age_to_before']:.1f} of before", file=sys.stderr, flush=True)
        rows.append(row(siege, rounds))
        missed += [f"{name}: {one}" for one in shortfalls(siege, rounds)]
    print_table(["siege", "before", "during", "after", "age p99, during to before", "ticks before", "during",
                 "core busy", "messages a second", "counted", "why less"], rows)
    print(f"Delivered of all ticks, age p50 and p99 in ms, of {HEALTHY} healthy clients. Of their room's ticks, p99 in"
          " ms: how late they began, and how long after they were handed over.")
    print("\n".join(f"not reached: {one}" for one in missed) if missed else "All were reached.")
    write_json(asked.json, {"sieges": results})
    return 1 if missed and not asked.quick else 0


if __name__ == "__main__":
    sys.exit(main())
