"""What can a few do to everybody? A hundred healthy clients of an arena, before, while and after others do
their worst on the same core: their part of the snapshots and how old these are.

Each siege is a server of its own. Delivered should stay at 0.99 of the ticks or more and the age's p99 at
most double; where arithmetic forbids that, the row says why. Ratios of one run.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import time

from measuring import (Case, Server, Setup, add_arguments, load_command, print_table, scrape, setup_of, write_json)

HEALTHY, RATE_HZ = 100, 60
DELIVERED_MIN, AGE_TO_BEFORE_MAX = 0.99, 2.0


@dataclasses.dataclass(frozen=True)
class Siege:
    says: str                # what they do
    rooms: str               # beside the arena, as TOML
    room: str = ""           # which of them is besieged; empty: it besieges by itself
    crowd: tuple = ()        # arguments of the hostile crowd
    slower: str = ""         # why the healthy may get less than DELIVERED_MIN


LARGE = """[[room]]
name = "large"
simulation = "siege"
parameters = { snapshot_bytes = 60000 }"""
OTHER = """[[room]]
name = "other"
simulation = "arena"
parameters = { bots = 50, players = 0, fragments = 0 }"""
SLOW = """[[room]]
name = "slow"
simulation = "siege"
parameters = { step_ms = 200 }"""
THROWS = """[[room]]
name = "throws"
simulation = "siege"
parameters = { throws_in = 600 }"""

SIEGES = {
    "non-readers": Siege("600 members of a room with snapshots of 60 KB never read", LARGE, "large",
                         ("--does", "nothing", "--clients", "600", "--receive-buffer", "4096")),
    "inputs": Siege("2,000 members of another room send 119 inputs a second each", OTHER, "other",
                    ("--does", "inputs", "--clients", "2000", "--per-second", "119")),
    "pongs": Siege("200 send pongs at twice the bytes that they may", OTHER, "other",
                   ("--does", "pongs", "--clients", "200", "--per-second", "20000")),
    "fragments": Siege("200 send empty fragments at twice the bytes that they may", OTHER, "other",
                       ("--does", "fragments", "--clients", "200", "--per-second", "20000")),
    "slow room": Siege("a room on the same core steps for 200 ms", SLOW,
                       slower="a step of 200 ms is 12 ticks of the arena: it may take a tenth of the core"),
    "throwing room": Siege("a room on the same core throws", THROWS),
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
        super().launch(command, **options)


def look(setup: Setup, server: Besieged) -> dict:
    load = setup.on_cpu(setup.load_cpu, load_command(setup, server, HEALTHY, setup.seconds),
                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    report = json.loads(load.communicate(timeout=setup.seconds + 60)[0])
    return {"delivered": report["delivered_ratio"] or 0, "age_us": report["age_us"],
            "not_joined": report["join_failed"], "closed": report["closed"]}


def besiege(setup: Setup, siege: Siege) -> dict:
    server = Besieged(setup, siege)
    found = {}
    try:
        if siege.room:
            found["before"] = look(setup, server)
            crowd = setup.on_cpu(
                setup.load_cpu,
                [str(setup.build / "bench/siege/crowd"), "--port", str(server.port), "--room", siege.room,
                 "--seconds", str(setup.seconds + 8), *siege.crowd],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            crowd.stderr.readline()  # all have connected
            time.sleep(2)
            found["during"] = look(setup, server)
            found["crowd"] = json.loads(crowd.communicate(timeout=60)[0])
            time.sleep(1)
            found["after"] = look(setup, server)
        else:
            found["during"] = look(setup, server)
        found["counters"] = {name: value for name, value in scrape(server.admin).items()
                             if value and name.partition("{")[0].endswith("_total")}
    finally:
        server.process.terminate()
        server.process.wait(30)
    return found


def undisturbed(setup: Setup) -> dict:
    """Of a server with nothing but the arena: what sieges without a before are held against."""
    return besiege(setup, Siege("nobody", ""))["during"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, "bench-siege")
    parser.add_argument("--only", choices=SIEGES, action="append", help="this siege; may be repeated")
    asked = parser.parse_args()
    setup = setup_of(asked)
    results, rows, missed = {}, [], []
    for name in asked.only or SIEGES:
        siege = SIEGES[name]
        found = besiege(setup, siege)
        found.setdefault("before", undisturbed(setup))
        results[name] = found
        cells = []
        for when in ("before", "during", "after"):
            if when not in found:
                cells.append("")
                continue
            seen = found[when]
            cells.append(f"{seen['delivered']:.3f}, {seen['age_us']['p50'] / 1e3:.1f}, "
                         f"{seen['age_us']['p99'] / 1e3:.1f}" +
                         (f" ({seen['not_joined']} not joined)" if seen["not_joined"] else ""))
        rows.append([siege.says, *cells, siege.slower])
        worst = min(found[when]["delivered"] for when in ("during", "after") if when in found)
        age = found["during"]["age_us"]["p99"] / max(1, found["before"]["age_us"]["p99"])
        if not siege.slower and (worst < DELIVERED_MIN or age > AGE_TO_BEFORE_MAX):
            missed.append(f"{name}: delivered {worst:.3f}, age p99 {age:.1f} of before")
    print_table(["siege", "before", "during", "after", "why less"], rows)
    print(f"Delivered of all ticks, age p50 and p99 in ms, of {HEALTHY} healthy clients.")
    print("\n".join(missed) if missed else
          f"In all others at least {DELIVERED_MIN} was delivered, and the age's p99 at most doubled.")
    write_json(asked.json, {"sieges": results})
    return 1 if missed and not asked.quick else 0


if __name__ == "__main__":
    sys.exit(main())
