"""What probes cost while nobody looks: a build with them against a build without.

Instructions by callgrind over the simulated network: a core's turns with members who stay, from the second
second on, without the network's own waiting and handing over, so the figure is the same in every run. Beside it, with --paired, server CPU per delivered frame over real sockets,
the two builds by turns; and with --attached the build with probes again while the tick_budget script runs.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from measuring import ROOT, Case, Server, Setup, measure, print_table, write_json

WITH, WITHOUT = ROOT / "build/release", ROOT / "build/noprobes"
RATIO_MAX = 1.01
PROGRAM = "bench/probes/core_over_sim"
COUNTED = "ringcast::server::Core::turn*"
NOT_COUNTED = ("ringcast::sim::SimIo::submit*", "ringcast::sim::SimIo::wait(*")


def build_without() -> None:
    if not (WITHOUT / "build.ninja").exists():
        subprocess.run(["meson", "setup", str(WITHOUT), "-Dbuildtype=release", "-Ddebug=true", "-Db_ndebug=true",
                        "-Dtests=disabled", "-Dbench=true", "-Dprobes=false"], check=True, cwd=ROOT,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", str(WITHOUT), "ringcast", PROGRAM], check=True, stdout=subprocess.DEVNULL)


def instructions_per_frame(build: pathlib.Path, seconds: int) -> float:
    """Of ticks and sends: what all have joined by, the first second, is taken off."""
    (frames, instructions), (joining_frames, joining) = counted(build, seconds), counted(build, 1)
    return (instructions - joining) / (frames - joining_frames)


def counted(build: pathlib.Path, seconds: int) -> tuple[int, int]:
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", "--collect-atstart=no",
             *(f"--toggle-collect={name}" for name in (COUNTED, *NOT_COUNTED)),
             str(build / PROGRAM), str(seconds)], check=True, text=True, capture_output=True)
    frames = int(re.search(r"^frames (\d+)$", ran.stdout, re.MULTILINE)[1])
    collected = int(re.search(r"Collected : (\d+)", ran.stderr)[1])
    if frames < 1_000 or collected < 1_000_000:
        sys.exit(f"{build}: {frames} frames and {collected} instructions can't be right")
    return frames, collected


def paired(asked: argparse.Namespace) -> dict:
    """Rounds of with, without, and with the script attached; ratios within each round."""
    rows = []
    for _ in range(asked.rounds):
        costs = {}
        for name, build in (("with", WITH), ("without", WITHOUT), ("attached", WITH)):
            if name == "attached" and not asked.attached:
                continue
            setup = Setup(build, asked.seconds, 0, 1, False)
            subject = Server(setup, Case(asked.clients, 60))
            script = None
            if name == "attached":
                script = subprocess.Popen([str(build / "ringcast"), "trace", "tick_budget", "--pid",
                                           str(subject.process.pid)], stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL)
                time.sleep(3)
                if script.poll() is not None:
                    sys.exit("the script ended before its time")
            costs[name] = measure(setup, subject)["cpu_us_per_frame"]
            if script:
                script.send_signal(2)
                script.wait(30)
        rows.append(costs)
    print_table(["round", *rows[0]], [[str(number + 1), *(f"{cost:.2f}" for cost in row.values())]
                                      for number, row in enumerate(rows)])
    result = {"rounds": rows,
              "with/without": statistics.median(row["with"] / row["without"] for row in rows)}
    print(f"server CPU us a delivered frame, with/without: {result['with/without']:.3f} (median of rounds)")
    if asked.attached:
        result["attached/with"] = statistics.median(row["attached"] / row["with"] for row in rows)
        print(f"tick_budget attached/with: {result['attached/with']:.3f}")
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sim-seconds", type=int, default=5, help="simulated, with the first, which is not counted")
    parser.add_argument("--paired", action="store_true", help="real sockets as well")
    parser.add_argument("--attached", action="store_true", help="with --paired: the script too; root")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--clients", type=int, default=500)
    asked = parser.parse_args()
    build_without()
    costs = {build.name: instructions_per_frame(build, asked.sim_seconds) for build in (WITH, WITHOUT)}
    ratio = costs[WITH.name] / costs[WITHOUT.name]
    print(f"instructions a frame: {costs[WITH.name]:.1f} with probes, {costs[WITHOUT.name]:.1f} without, "
          f"ratio {ratio:.4f} (at most {RATIO_MAX})")
    results = {"instructions": costs, "ratio": ratio}
    if asked.paired:
        results["paired"] = paired(asked)
    write_json(ROOT / "build/bench-probes.json", results)
    return 0 if ratio <= RATIO_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
