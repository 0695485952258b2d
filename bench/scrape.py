"""Measures what a scrape of /metrics costs: the thread of a core, which takes no part in it, and the
control thread, which answers it. Windows with and without scrapes alternate under the same load, so
that what else the machine does falls on both. See docs/observability.md.

CPU time is each thread's own, /proc/PID/task/TID/schedstat; the control thread is the process's first.
"""

import argparse
import http.client
import pathlib
import statistics
import subprocess
import sys
import time

from measuring import (Case, Server, Setup, add_arguments, load_command, setup_of, write_json)

SCRAPES_PER_S = 200
CORE_US_MAX = 100        # of a core's thread, a scrape, at 2,000 clients
CONTROL_US_MAX = 5_000   # of one core of the machine, a scrape, at 10,000 sessions


def thread_ns(pid: int, core: bool) -> int:
    """What the cores' threads, or the control thread, have run."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("core-") == core and (core or task.name == str(pid)):
            total += int((task / "schedstat").read_text().split()[0])
    return total


class Window:
    """What the threads ran while `scrapes` scrapes were made, evenly spread."""

    def __init__(self, server: Server, seconds: float, scrapes_per_s: int):
        pid = server.process.pid
        began = time.monotonic()
        core, control = thread_ns(pid, True), thread_ns(pid, False)
        self.scrapes = self.bytes = 0
        while (now := time.monotonic()) < began + seconds:
            if scrapes_per_s and self.scrapes < (now - began) * scrapes_per_s:
                connection = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=10)
                connection.request("GET", "/metrics")
                self.bytes = len(connection.getresponse().read())
                connection.close()
                self.scrapes += 1
            else:
                time.sleep(0.001)
        self.core_us_per_s = (thread_ns(pid, True) - core) / 1e3 / (now - began)
        self.control_us_per_s = (thread_ns(pid, False) - control) / 1e3 / (now - began)
        self.scrapes_per_s = self.scrapes / (now - began)


def measure_scrapes(setup: Setup, case: Case, rounds: int) -> dict:
    server = Server(setup, case)
    seconds = setup.seconds
    command = [*load_command(setup, server, case.clients, 10_000), "--joins-per-s", "2000"]
    load = setup.on_cpu(setup.load_cpu, command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for line in load.stderr:
            if "window begin" in line:
                break
        else:
            sys.exit("the load has ended before its window began")
        core, control, base = [], [], []
        for number in range(rounds):
            # Without, with, with, without: what drifts evenly falls on both.
            order = (0, SCRAPES_PER_S, SCRAPES_PER_S, 0)
            windows = [Window(server, seconds, scrapes) for scrapes in order]
            quiet = [windows[0], windows[3]]
            busy = [windows[1], windows[2]]
            scrapes = sum(window.scrapes_per_s for window in busy)

            def extra(name: str) -> float:
                return (sum(getattr(window, name) for window in busy) -
                        sum(getattr(window, name) for window in quiet)) / scrapes

            core.append(extra("core_us_per_s"))
            control.append(extra("control_us_per_s"))
            base.append(statistics.mean(window.core_us_per_s for window in quiet))
            print(f"  round {number + 1}: a core's thread {core[-1]:+.1f} us a scrape, the control "
                  f"thread {control[-1]:.1f}", file=sys.stderr)
        sessions = next(value for name, value in server.scrape().items()
                        if name.startswith("ringcast_sessions{"))
        return {"clients": case.clients, "rate_hz": case.rate_hz, "sessions": int(sessions),
                "scrapes_per_s": SCRAPES_PER_S, "bytes": windows[1].bytes,
                "core_us_per_scrape": core, "control_us_per_scrape": control,
                "core_us_per_s_without": base}
    finally:
        load.terminate()
        load.wait(timeout=30)
        server.process.terminate()
        server.process.wait(timeout=30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_arguments(parser, "bench-scrape")
    parser.add_argument("--clients", type=int, default=2_000)
    parser.add_argument("--rate-hz", type=int, default=10)
    asked = parser.parse_args()
    if asked.quick:
        asked.clients, asked.rounds = min(asked.clients, 100), 1
    result = measure_scrapes(setup_of(asked), Case(asked.clients, asked.rate_hz), asked.rounds)
    write_json(asked.json, {"scrape": result})
    core = statistics.median(result["core_us_per_scrape"])
    control = statistics.median(result["control_us_per_scrape"])
    print("| sessions | answer | core's thread, us a scrape | aim | control thread, us a scrape | aim |")
    print("|---|---|---|---|---|---|")
    print(f"| {result['sessions']:,} at {asked.rate_hz} Hz | {result['bytes']:,} bytes | {core:.1f} | "
          f"{CORE_US_MAX} | {control:.1f} | {CONTROL_US_MAX:,} |")
    return 0 if core <= CORE_US_MAX and control <= CONTROL_US_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
