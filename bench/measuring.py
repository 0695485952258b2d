"""What the measurements of bench/ share: who is measured, under which load, and what it cost.

A subject runs on one CPU, `ringcast load` on another. CPU time is the process's own, from the moment the
load says `window begin` until it says `window end`. Only ratios of one run mean anything: a round in which
the ring's floor is not at most 0.85 of epoll's was disturbed and does not count.
"""

import argparse
import atexit
import dataclasses
import json
import os
import pathlib
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
RING_TO_EPOLL_MAX = 0.85
UNACKNOWLEDGED_S = 11          # until who acknowledges nothing is taken for one that never does
NOTSENT_LOWAT_BYTES = 16_384   # the server's default, tcp.notsent_lowat_bytes


@dataclasses.dataclass(frozen=True)
class Case:
    clients: int
    rate_hz: int
    slow: int = 0
    slow_bytes_per_s: int = 7_200
    slow_after_s: int = 0   # from their join until they read slowly
    slow_for_s: int = 0     # and then, in turn; 0: to the end
    slow_receive_buffer: int = 0
    acknowledge_every_ticks: int = 6
    acknowledge: bool = True
    notsent_lowat_bytes: int = NOTSENT_LOWAT_BYTES
    cores: str = ""   # of the server, as its --cores takes them; empty: one
    cpus: str = ""    # where it runs, as taskset takes them; empty: the setup's CPU

    @property
    def name(self) -> str:
        return f"{self.clients} at {self.rate_hz} Hz"


@dataclasses.dataclass(frozen=True)
class Setup:
    build: pathlib.Path
    seconds: int
    server_cpu: int
    load_cpu: int
    realtime: bool

    def on_cpu(self, cpus: int | str, command: list[str], **options) -> subprocess.Popen:
        ahead = ["chrt", "--fifo", "1"] if self.realtime else []
        process = subprocess.Popen(["taskset", "--cpu-list", str(cpus), *ahead, *command], text=True,
                                   **options)
        # Whatever goes wrong before it is waited for, it does not outlive the measurement.
        atexit.register(process.kill)
        return process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen, host: str = "127.0.0.1") -> None:
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"{process.args} ended with {process.returncode}")
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{process.args} does not listen")


def scrape(admin_port: int) -> dict[str, float]:
    """/metrics: samples by name and labels, in the order of the exposition."""
    url = f"http://127.0.0.1:{admin_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in
            (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def run_ns(pid: int) -> tuple[int, int]:
    """How long all threads of a process have run, user and system, and how long they were ready to and others had
    the CPU: /proc/PID/task/TID/schedstat."""
    ran = waited = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        one_ran, one_waited, _ = map(int, (task / "schedstat").read_text().split())
        ran, waited = ran + one_ran, waited + one_waited
    return ran, waited


def cpu_ns(pid: int) -> int:
    """What all threads of a process have run, user and system."""
    return run_ns(pid)[0]


def busy_ns(cpu: int) -> int:
    """What a CPU has not idled, in steps of a clock tick: /proc/stat, proc(5)."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{cpu}":
            user, nice, system, _, _, irq, softirq, *_ = map(int, fields)
            return (user + nice + system + irq + softirq) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    sys.exit(f"there is no CPU {cpu}")


class Subject:
    """A process that is measured."""

    host = "127.0.0.1"                 # where it listens
    load_prefix: tuple[str, ...] = ()  # ahead of the load's command: where that runs
    load_may_be_harmed = False         # clients that could not join are part of the result

    def __init__(self, setup: Setup, case: Case):
        self.setup, self.case, self.port = setup, case, free_port()

    def launch(self, command: list[str], **options) -> None:
        self.process = self.setup.on_cpu(self.case.cpus or self.setup.server_cpu, command, **options)
        wait_for(self.port, self.process, self.host)

    def window_begins(self) -> None:
        pass

    def window_ends(self) -> None:
        pass

    def finish(self) -> dict:
        """Stops the process; what it says of itself."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=30)
        return json.loads(output) if output else {}


class Floor(Subject):
    def __init__(self, setup: Setup, case: Case, mode: str, frame_bytes: int):
        super().__init__(setup, case)
        self.launch([str(setup.build / "bench/floor/floor"), "--mode", mode,
                     "--listen", f"127.0.0.1:{self.port}", "--rate-hz", str(case.rate_hz),
                     "--bytes", str(frame_bytes), "--clients", str(case.clients),
                     "--seconds", "600"], stdout=subprocess.PIPE)

    def finish(self) -> dict:
        said = super().finish()
        return {"tick_us": said["tick_us"], "frames_skipped": said["frames_skipped"]}


class Server(Subject):
    """`ringcast serve` with one arena of fifty bots that nothing collides into events: what is
    compared is the way of a snapshot."""

    HANDED_OVER = "ringcast_room_tick_handed_over_seconds_bucket"
    LATENESS = "ringcast_room_tick_lateness_seconds_bucket"
    log_level = "warning"

    def __init__(self, setup: Setup, case: Case):
        super().__init__(setup, case)
        self.admin = free_port()
        self.config = tempfile.NamedTemporaryFile("w", suffix=".toml")
        self.config.write(f"""
            listen = "{self.host}:{self.port}"
            admin = "127.0.0.1:{self.admin}"
            [log]
            level = "{self.log_level}"
            [tcp]
            notsent_lowat_bytes = {case.notsent_lowat_bytes}
            [latest]
            acknowledge_every_ticks = {case.acknowledge_every_ticks}
            [[room]]
            name = "arena"
            simulation = "arena"
            rate_hz = {case.rate_hz}
            spread = "{"all" if case.cores else "none"}"
            parameters = {{ {self.parameters()} }}
            {self.tables()}
            """)
        self.config.flush()
        cores = ["--cores", case.cores] if case.cores else []
        self.launch([str(setup.build / "ringcast"), "serve", "--config", self.config.name, *cores],
                    stdout=subprocess.DEVNULL)

    def parameters(self) -> str:
        """Of the arena."""
        return "replicated = 0, players = 0, fragments = 0"

    def tables(self) -> str:
        """What else is configured."""
        return ""

    def scrape(self) -> dict[str, float]:
        return scrape(self.admin)

    def window_begins(self) -> None:
        self.before = self.scrape()

    def window_ends(self) -> None:
        self.within = {name: value - self.before[name] for name, value in self.scrape().items()}

    def finish(self) -> dict:
        super().finish()
        counters = {name: count for name, count in self.within.items()
                    if count and name.partition("{")[0].endswith("_total")}
        return {"counters": counters, "tick_us": self.microseconds(self.HANDED_OVER),
                "lateness_us": self.microseconds(self.LATENESS)}

    def microseconds(self, histogram: str) -> dict[str, float]:
        """Of a histogram in seconds, within the window; of all its rooms and cores together."""
        counts: dict[float, float] = {}
        for name, count in self.within.items():
            if name.startswith(histogram):
                bound = float(name.split('le="')[1].split('"')[0])
                counts[bound] = counts.get(bound, 0) + count
        return {name: 1e6 * quantile(sorted(counts.items()), q)
                for name, q in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))}


def quantile(cumulative: list[tuple[float, int]], q: float) -> float:
    """Of Prometheus buckets, straight between the bounds, as histogram_quantile() does."""
    wanted = q * cumulative[-1][1]
    low_bound, low_count = 0.0, 0
    for bound, count in cumulative:
        if count >= wanted and count > low_count:
            if bound == float("inf"):
                return low_bound
            return low_bound + (bound - low_bound) * (wanted - low_count) / (count - low_count)
        low_bound, low_count = bound, count
    return low_bound


def load_command(setup: Setup, subject: Subject, clients: int, seconds: int) -> list[str]:
    return [*subject.load_prefix, str(setup.build / "ringcast"), "load", "--json",
            "--url", f"ws://{subject.host}:{subject.port}/rooms/arena",
            "--clients", str(clients), "--seconds", str(seconds)]


def loaded(setup: Setup, subject: Subject, command: list[str]) -> dict:
    """One load on one subject: the load's report, and what both cost in its window. `waited` is the part of the
    window in which a process wanted its CPU and others had it, of all its threads together."""
    load = setup.on_cpu(setup.load_cpu, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = ""
    within = {"cpu": 0, "waited": 0, "busy": 0, "load_cpu": 0, "load_waited": 0}

    def count(sign: int) -> None:
        cpu, waited = run_ns(subject.process.pid)
        load_cpu, load_waited = run_ns(load.pid)
        now = {"cpu": cpu, "waited": waited, "busy": busy_ns(setup.server_cpu), "load_cpu": load_cpu,
               "load_waited": load_waited}
        for name, value in now.items():
            within[name] += sign * value

    for line in load.stderr:
        said = line
        if line == "window begin\n":
            subject.window_begins()
            count(-1)
        elif line == "window end\n":
            count(1)
            subject.window_ends()
    report = load.stdout.read()
    if load.wait() != 0 and not (subject.load_may_be_harmed and report):
        subject.process.kill()
        sys.exit(f"the load failed: {said.strip()}: {report.strip()}")
    report = json.loads(report)
    if report["verify_failed"] or (report["join_failed"] and not subject.load_may_be_harmed):
        subject.process.kill()
        sys.exit(f"the load was told nonsense: {report}")
    of_window = 1e9 * report["seconds"]
    return {"cpu_us_per_frame": within["cpu"] / 1_000 / max(1, report["frames"]),
            "cpu_seconds": within["cpu"] / 1e9,
            "foreign": max(0.0, (within["busy"] - within["cpu"]) / of_window),
            "waited": within["waited"] / of_window,
            "load_busy": within["load_cpu"] / of_window, "load_waited": within["load_waited"] / of_window,
            "load": report}


def measure(setup: Setup, subject: Subject) -> dict:
    """One load on one subject, and what that says of itself at its end."""
    case = subject.case
    # Who never acknowledges gets everything only after a while (docs/protocol.md).
    settled_s = 0 if case.acknowledge else UNACKNOWLEDGED_S
    command = [*load_command(setup, subject, case.clients, setup.seconds),
               "--slow", str(case.slow), "--slow-bytes-per-s", str(case.slow_bytes_per_s),
               "--slow-after", str(case.slow_after_s or settled_s), "--slow-for", str(case.slow_for_s),
               "--slow-rcvbuf", str(case.slow_receive_buffer)]
    if not case.acknowledge:
        command += ["--no-ack", "--settle", str(settled_s)]
    return {**loaded(setup, subject, command), **subject.finish()}


def frame_bytes(result: dict) -> int:
    return round(result["load"]["bytes_per_s"] / result["load"]["frames_per_s"])


def print_table(head: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Those that every measurement has; `name` is that of its JSON file."""
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=3, help="valid rounds of each comparison")
    parser.add_argument("--seconds", type=int, default=10, help="of each measured window")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--realtime", action="store_true",
                        help="SCHED_FIFO for what is measured, past other work of the machine; root")
    parser.add_argument("--quick", action="store_true",
                        help="small and short: shows that it works, its figures mean nothing")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / f"build/{name}.json")


def setup_of(asked: argparse.Namespace) -> Setup:
    return Setup(asked.build, 2 if asked.quick else asked.seconds, asked.server_cpu, asked.load_cpu,
                 asked.realtime)


def write_json(path: pathlib.Path, results: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"kernel": platform.release(), "cpus": os.cpu_count()}
    path.write_text(json.dumps({**facts, **results}, indent=1) + "\n")
