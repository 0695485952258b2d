"""A crowd of real connections in one server: do all see the same ticks, and what does each cost?

Several `ringcast load` processes, each within its own limit of open files and from addresses of its own,
fill one room at a low tick rate. Every tick that all of them measured must have reached every client with
the same bytes. See docs/performance.md.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

from measuring import ROOT, free_port, print_table, scrape, wait_for, write_json

OWN_FILES = 100            # of a load process beside its connections: `ringcast load` wants 64
SETTLE_SECONDS = 5         # for the other processes to have joined as well
JOIN_SECONDS_MAX = 180
# Why a client may not get a tick: latest-only, or the server had no time for it.
LEFT_OUT = ("frames_replaced_total", "frames_held_total", "frames_held_for_link_total",
            "frames_dropped_total", "snapshots_replaced_between_cores_total", "room_ticks_overrun_total")


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes. What is the kernel's is the whole machine's, and on loopback it has both ends."""

    rss: int
    own: int          # proportional set size: shared pages counted in part
    anonymous: int
    kernel: int       # slab and TCP buffers

    def __sub__(self, other: "Memory") -> "Memory":
        return Memory(*(mine - its for mine, its in
                        zip(dataclasses.astuple(self), dataclasses.astuple(other))))


def memory_of(pid: int) -> Memory:
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    meminfo = pathlib.Path("/proc/meminfo").read_text()
    sockstat = pathlib.Path("/proc/net/sockstat").read_text()

    def kib(text: str, name: str) -> int:
        return int(re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)[1]) * 1024

    pages = int(re.search(r"^TCP: .* mem (\d+)$", sockstat, re.MULTILINE)[1])
    return Memory(kib(rollup, "Rss"), kib(rollup, "Pss"), kib(rollup, "Anonymous"),
                  kib(meminfo, "Slab") + pages * os.sysconf("SC_PAGE_SIZE"))


def total(metrics: dict[str, float], name: str) -> float:
    return sum(value for key, value in metrics.items() if key.partition("{")[0] == f"ringcast_{name}")


class Crowded:
    """The server: one room that is spread when there are several cores."""

    def __init__(self, asked: argparse.Namespace):
        self.port, self.admin = free_port(), free_port()
        self.config = tempfile.NamedTemporaryFile("w", suffix=".toml")
        self.config.write(f"""
            listen = "127.0.0.1:{self.port}"
            admin = "127.0.0.1:{self.admin}"
            cores = "{asked.cores}"
            [core]
            connections_max = {asked.connections_max}
            direct_sockets = "{asked.direct_sockets}"
            [[room]]
            name = "crowd"
            simulation = "arena"
            spread = "{'none' if asked.cores == '1' else 'all'}"
            rate_hz = {asked.rate_hz}
            parameters = {{ replicated = 0, players = 0, fragments = 0 }}
            """)
        self.config.flush()
        self.process = subprocess.Popen(
            [str(asked.build / "ringcast"), "serve", "--config", self.config.name],
            stdout=subprocess.DEVNULL)
        wait_for(self.port, self.process)

    def metrics(self) -> dict[str, float]:
        return scrape(self.admin)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(60) != 0:
            sys.exit(f"the server ended with {self.process.returncode}")


class Load:
    """One process of the crowd, from 127.0.(1 + number).1 to .4."""

    def __init__(self, asked: argparse.Namespace, port: int, number: int, clients: int):
        self.clients, self.window_open, self.report, self.lines = clients, False, None, []
        joins = max(1, asked.joins_per_s * clients // asked.clients)
        self.process = subprocess.Popen(
            [str(asked.build / "ringcast"), "load", "--json", "--list-ticks",
             "--url", f"ws://127.0.0.1:{port}/rooms/crowd", "--clients", str(clients),
             "--from", f"127.0.{1 + number}.1-127.0.{1 + number}.4", "--joins-per-s", str(joins),
             "--settle", str(SETTLE_SECONDS), "--seconds", str(asked.seconds)],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def watch(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line.strip())
            self.window_open |= line == "window begin\n"
        said = self.process.stdout.read()
        self.process.wait()
        if said:
            self.report = json.loads(said)

    def finish(self) -> dict:
        self.watcher.join()
        if self.report is None:
            sys.exit(f"a load failed: {self.lines[-1] if self.lines else self.process.returncode}")
        return self.report


def shares(clients: int, processes: int) -> list[int]:
    return [clients // processes + (number < clients % processes) for number in range(processes)]


def compare(reports: list[dict]) -> tuple[list[int], str]:
    """The ticks that all have measured, and what is wrong with them; empty when nothing is."""
    seen = [{entry["tick"]: entry for entry in report.get("ticks_seen", [])} for report in reports]
    if not all(seen):
        return [], "a load saw no tick"
    first, last = max(min(ticks) for ticks in seen), min(max(ticks) for ticks in seen)
    common, missed = list(range(first, last + 1)), ""
    for tick in common:
        digests = set()
        for report, ticks in zip(reports, seen):
            entry = ticks.get(tick, {"clients": 0, "differing": 0, "digest": None})
            if entry["clients"] != report["clients"]:
                missed = missed or (f"tick {tick} reached {entry['clients']} of {report['clients']} clients, "
                                    "though what came of any tick was the same for all")
            if entry["differing"]:
                return common, f"tick {tick} was not the same for {entry['differing']} clients"
            if entry["clients"]:
                digests.add(entry["digest"])
        if len(digests) > 1:
            return common, f"tick {tick} was not the same in all load processes"
    return common, missed


def problem_of(reports: list[dict], ticks: list[int], ticks_wanted: int, differs: str) -> str:
    """The first thing that went wrong, as a sentence; empty when nothing did."""
    for report in reports:
        if report["join_failed"]:
            return f"{report['join_failed']} clients could not join: {report['join_error']}"
        if report["verify_failed"]:
            return f"{report['verify_failed']} messages were wrong: {report['verify_error']}"
        if report["closed"]:
            return f"sessions were closed early: {report['closed']}"
    if differs:
        return differs
    if len(ticks) < ticks_wanted:
        return f"only {len(ticks)} ticks were seen by all; raise --seconds"
    return ""


def measure(asked: argparse.Namespace) -> dict:
    server = Crowded(asked)
    loads = []
    try:
        before, descriptors_before = memory_of(server.process.pid), server.descriptors()
        loads = [Load(asked, server.port, number, clients)
                 for number, clients in enumerate(shares(asked.clients, asked.processes))]
        give_up = time.monotonic() + JOIN_SECONDS_MAX + asked.clients / asked.joins_per_s
        while not all(load.window_open for load in loads):
            if any(not load.watcher.is_alive() for load in loads) or time.monotonic() > give_up:
                break
            time.sleep(0.1)
        full, metrics = memory_of(server.process.pid), server.metrics()
        descriptors = server.descriptors()
        reports = [load.finish() for load in loads]
        left_out = {name: total(server.metrics(), name) - total(metrics, name) for name in LEFT_OUT}
        server.stop()
    finally:
        for process in [server.process, *(load.process for load in loads)]:
            if process.poll() is None:
                process.kill()
    ticks, differs = compare(reports)
    return {
        "clients": asked.clients, "cores": asked.cores, "processes": asked.processes,
        "open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "joined": sum(report["joined"] for report in reports), "sessions": total(metrics, "sessions"), "left_out": left_out,
        "descriptors": descriptors - descriptors_before,
        "ticks": len(ticks), "problem": problem_of(reports, ticks, asked.ticks_min, differs),
        "join_ms_p99": max(report["join_ms"]["p99"] for report in reports),
        "age_ms_p99": max((report["age_us"]["p99"] or 0) / 1e3 for report in reports),
        "ticks_missed": sum(report["ticks_missed"] for report in reports),
        "memory": dataclasses.asdict(full), "memory_before": dataclasses.asdict(before),
        "memory_per_session": {name: value / asked.clients for name, value
                               in dataclasses.asdict(full - before).items()},
        "registered_bytes": total(metrics, "frame_memory_registered_bytes"),
        "frame_memory_used_bytes": total(metrics, "frame_memory_used_bytes"),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clients", type=int, default=20_000)
    parser.add_argument("--cores", default="1", help="of the server; with more than one the room is spread")
    parser.add_argument("--rate-hz", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=15, help="of each process's window")
    parser.add_argument("--joins-per-s", type=int, default=1_000, help="of all together")
    parser.add_argument("--processes", type=int, help="of load (default: two, or as many as it takes)")
    parser.add_argument("--direct-sockets", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--connections-max", type=int,
                        help="of each core (default: for the whole crowd, as the limit of open files allows)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / "build/bench-crowd.json")
    asked = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = 1 << 20 if limit == resource.RLIM_INFINITY else limit
    if asked.processes is None:
        asked.processes = max(2, -(-asked.clients // (files - OWN_FILES)))
    if asked.connections_max is None:
        asked.connections_max = min(asked.clients, files - OWN_FILES)
    asked.ticks_min = max(2, asked.rate_hz * asked.seconds // 3)

    result = measure(asked)
    each = result["memory_per_session"]
    print_table(["clients", "cores", "joined", "descriptors", "ticks seen by all", "join p99 ms",
                 "age p99 ms", "server's own bytes a session", "of them anonymous",
                 "kernel's bytes a connection, both ends", "registered KiB"],
                [[f"{result['clients']:,}", result["cores"], f"{result['joined']:,}",
                  f"{result['descriptors']:,}", str(result["ticks"]), f"{result['join_ms_p99']:.1f}",
                  f"{result['age_ms_p99']:.1f}", f"{each['own']:.0f}", f"{each['anonymous']:.0f}",
                  f"{each['kernel']:.0f}", f"{result['registered_bytes'] / 1024:.0f}"]])
    write_json(asked.json, {"crowd": result})
    if result["problem"]:
        why = ", ".join(f"{name} {count:.0f}" for name, count in result["left_out"].items() if count)
        print(f"crowd: {result['problem']}" + (f" ({why})" if why else ""), file=sys.stderr)
        return 1
    print(f"All {result['clients']:,} clients saw the same {result['ticks']} ticks.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
