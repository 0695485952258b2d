"""Measures how frames are handed to the kernel, side by side: zero-copy against plain sends at several sizes,
and a chain of linked sends against one gathered send. See docs/performance.md.
"""

import argparse
import dataclasses
import statistics
import sys

from measuring import (Case, Server, Setup, add_arguments, frame_bytes, measure, print_table, setup_of,
                       write_json)

# Sizes of a snapshot by the arena's bots: about 1.2, 10 and 60 KB.
SIZES = {"1.2 KB": (Case(1_000, 60), 50), "10 KB": (Case(500, 30), 430), "60 KB": (Case(100, 30), 2_600)}
# Events nearly every tick: two frames for each socket.
EVENTFUL = Case(1_000, 30)
EVERY_FRAME = "zero_copy_min_bytes = 1\nzero_copy_pins_max = 64\nzero_copy_copied_max = 0\n"


@dataclasses.dataclass(frozen=True)
class Way:
    send: str          # the table [send]
    bots: int
    fragments: int = 0


class SendingServer(Server):
    """`ringcast serve` with another arena and another [send]."""

    def __init__(self, setup: Setup, case: Case, way: Way):
        self.way = way
        super().__init__(setup, case)

    def parameters(self) -> str:
        return f"replicated = 0, bots = {self.way.bots}, players = 0, fragments = {self.way.fragments}"

    def tables(self) -> str:
        return f"[send]\n{self.way.send}"


def compare(setup: Setup, case: Case, ways: dict[str, Way], rounds: int) -> dict:
    """In turn, round by round; ratios are to the first way, within a round."""
    runs = [{name: measure(setup, SendingServer(setup, case, way)) for name, way in ways.items()}
            for _ in range(rounds)]
    first = next(iter(ways))
    return {name: {
        "us": statistics.median(run[name]["cpu_us_per_frame"] for run in runs),
        "ratio": statistics.median(run[name]["cpu_us_per_frame"] / run[first]["cpu_us_per_frame"]
                                   for run in runs),
        "delivered": statistics.median(run[name]["load"]["delivered_ratio"] for run in runs),
        "frame_bytes": frame_bytes(runs[0][name]),
        "zero_copy": counted(runs[0][name], "sends_zero_copy"),
        "copied": counted(runs[0][name], "zero_copy_copied"),
        "chained": counted(runs[0][name], "sends_chained"),
    } for name in ways}


def counted(run: dict, name: str) -> float:
    return sum(value for key, value in run["counters"].items() if key.startswith(f"ringcast_{name}_total"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, "bench-strategies")
    asked = parser.parse_args()
    setup, quick = setup_of(asked), Case(20, 30)
    rounds = 1 if asked.quick else asked.rounds
    rows, results = [], {}
    for size, (case, bots) in SIZES.items():
        case = quick if asked.quick else case
        results[size] = compare(setup, case, {
            "plain": Way('strategy = "plain"\n', bots),
            "zero-copy": Way('strategy = "zero_copy"\n' + EVERY_FRAME, bots)}, rounds)
        rows += [[f"{case.name}, {row['frame_bytes']:,} bytes", name, f"{row['us']:.2f}", f"{row['ratio']:.2f}",
                  f"{row['delivered']:.4f}", f"{row['zero_copy']:,.0f} ({row['copied']:,.0f} copied)"]
                 for name, row in results[size].items()]
    case = quick if asked.quick else EVENTFUL
    results["several frames"] = compare(setup, case, {
        "gathered": Way('strategy = "plain"\nseveral_frames = "gathered"\n', 50, 200),
        "chain": Way('strategy = "plain"\nseveral_frames = "chain"\n', 50, 200)}, rounds)
    rows += [[f"{case.name}, several frames", name, f"{row['us']:.2f}", f"{row['ratio']:.2f}",
              f"{row['delivered']:.4f}", f"{row['chained']:,.0f} chains"]
             for name, row in results["several frames"].items()]
    print_table(["case", "way", "server CPU us a frame", "ratio", "delivered", "in one round"], rows)
    write_json(asked.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
