"""A room whose snapshots are more than its network link carries: how many of them do the clients get, and how
old are they?

Server and load are in network namespaces of their own, with a link between them that a token bucket holds to
so many bits a second (tc-tbf(8)) and whose queue loses what comes on top. The same crowd is measured at several
loads of the link and in several ways. Needs root, for the namespaces, which are gone with this process. See
docs/tuning.md.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys

from measuring import (NOTSENT_LOWAT_BYTES, Case, Server, Setup, add_arguments, frame_bytes, measure, print_table,
                       setup_of, write_json)

INSIDE = "RINGCAST_BENCH_LINK_INSIDE"
SERVER, LOAD = "10.99.0.1", "10.99.0.2"
QUEUE_MS = 20          # how much waits in the link's own queue before packets are lost
CLIENTS, RATE_HZ = 200, 60


def run(*command: str) -> str:
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Link:
    """Between this process's network namespace and one that a child of it holds."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.holder.stdout.readline()  # it is in its namespace
        self.inside = ("nsenter", f"--net=/proc/{self.holder.pid}/ns/net")
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "near", "type", "veth", "peer", "far", "netns", str(self.holder.pid))
        run("ip", "address", "add", f"{SERVER}/24", "dev", "near")
        run("ip", "link", "set", "near", "up")
        run(*self.inside, "ip", "address", "add", f"{LOAD}/24", "dev", "far")
        run(*self.inside, "ip", "link", "set", "far", "up")

    def hold_to(self, bits_per_s: float | None, congestion_control: str) -> None:
        # By route, ip-route(8): not every machine lets a namespace write the sysctl.
        run("ip", "route", "change", f"{SERVER.rpartition('.')[0]}.0/24", "dev", "near", "src", SERVER,
            "congctl", congestion_control)
        if bits_per_s is None:
            run("tc", "qdisc", "replace", "dev", "near", "root", "pfifo")
            return
        # A burst of a millisecond, and no less than a packet that the kernel has yet to cut.
        burst = max(bits_per_s / 8_000, 64 * 1024)
        run("tc", "qdisc", "replace", "dev", "near", "root", "tbf", "rate", f"{bits_per_s:.0f}bit",
            "burst", f"{burst:.0f}b", "latency", f"{QUEUE_MS}ms")

    def sent(self) -> tuple[int, int]:
        """Bytes, Ethernet headers included, and packets."""
        said = json.loads(run("ip", "-s", "-j", "link", "show", "near"))[0]["stats64"]["tx"]
        return said["bytes"], said["packets"]

    def end(self) -> None:
        self.holder.stdin.close()
        self.holder.wait(10)


@dataclasses.dataclass(frozen=True)
class Way:
    acknowledge: bool = True
    congestion_control: str = "cubic"
    notsent_lowat_bytes: int = NOTSENT_LOWAT_BYTES
    told: float = 0  # link.bits_per_s, in parts of what the link carries


WAYS = {
    "told 0.9 of it": Way(told=0.9),
    "told, no acknowledgements": Way(told=0.9, acknowledge=False),
    "not told": Way(),
    "not told, bbr": Way(congestion_control="bbr"),
    "not told, notsent_lowat 4,096": Way(notsent_lowat_bytes=4_096),
    "not told, no acknowledgements": Way(acknowledge=False),
}
LOADS = (0.9, 1.2, 2.0, 4.0)  # what is due, in parts of what the link carries
BOTS = (1, 10, 50, 300)       # sizes of a snapshot
# On the wire beside what the kernel counts: preamble, frame check sequence, gap (IEEE 802.3).
UNCOUNTED_BYTES = 8 + 4 + 12


class FarServer(Server):
    host = SERVER
    load_may_be_harmed = True  # on a link that is full some may not even get their welcome in time

    def __init__(self, setup: Setup, case: Case, link: Link, bots: int, told_bits_per_s: float):
        self.link, self.load_prefix = link, link.inside
        self.bots, self.told_bits_per_s = bots, told_bits_per_s
        super().__init__(setup, case)

    def parameters(self) -> str:
        return f"bots = {self.bots}, players = 0, fragments = 0"

    def tables(self) -> str:
        return f"[link]\nbits_per_s = {self.told_bits_per_s:.0f}"

    def window_begins(self) -> None:
        super().window_begins()
        self.sent = self.link.sent()

    def window_ends(self) -> None:
        super().window_ends()
        (bytes_now, packets_now), (bytes_then, packets_then) = self.link.sent(), self.sent
        packets = packets_now - packets_then
        self.wire_bytes = bytes_now - bytes_then + packets * UNCOUNTED_BYTES

    def finish(self) -> dict:
        return {**super().finish(), "wire_bytes": self.wire_bytes}


def measure_way(setup: Setup, link: Link, way: Way, bits_per_s: float | None, bots: int = 50,
                clients: int = CLIENTS) -> dict:
    case = Case(clients, RATE_HZ, acknowledge=way.acknowledge, notsent_lowat_bytes=way.notsent_lowat_bytes)
    server = FarServer(setup, case, link, bots, way.told * (bits_per_s or 0))
    link.hold_to(bits_per_s, way.congestion_control)
    return measure(setup, server)


def sizes(setup: Setup, link: Link, clients: int) -> list[dict]:
    """What a frame takes of the link, and how many members a gigabit a second then has room for."""
    found = []
    for bots in BOTS:
        result = measure_way(setup, link, Way(), None, bots, clients)
        wire = result["wire_bytes"] / result["load"]["frames"]
        found.append({"frame_bytes": frame_bytes(result), "wire_bytes": wire,
                      "members": 1e9 / 8 / wire / RATE_HZ, "rate_hz": 1e9 / 8 / wire / 10_000})
    return found


def crowded(setup: Setup, link: Link, clients: int, rounds: int, loads: tuple[float, ...]) -> dict:
    """By load of the link and way: medians of the rounds."""
    free = measure_way(setup, link, Way(), None, clients=clients)
    due_bits_per_s = 8 * free["wire_bytes"] / free["load"]["frames"] * clients * RATE_HZ
    found = {"due_bits_per_s": due_bits_per_s, "free": free["load"], "loads": {}}
    for load in loads:
        runs = [{name: measure_way(setup, link, way, due_bits_per_s / load, clients=clients)["load"]
                 for name, way in WAYS.items()} for _ in range(rounds)]
        found["loads"][load] = {name: {
            "delivered": statistics.median(run[name]["delivered_ratio"] or 0 for run in runs),
            **{q: statistics.median(run[name]["age_us"][q] for run in runs) / 1e3 for q in ("p50", "p99")},
            "not_joined": max(run[name]["join_failed"] for run in runs),
        } for name in WAYS}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, "bench-link")
    asked = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench/link.py needs root: it makes network namespaces")
    if INSIDE not in os.environ:
        os.execvpe("unshare", ["unshare", "--net", sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})
    setup, link = setup_of(asked), Link()
    clients, rounds = (20, 1) if asked.quick else (CLIENTS, asked.rounds)
    try:
        small = sizes(setup, link, clients)
        full = crowded(setup, link, clients, rounds, LOADS[2:3] if asked.quick else LOADS)
    finally:
        link.end()
    print_table(["bytes of a frame", "bytes on the wire", f"members at {RATE_HZ} Hz in 1 Gbit/s",
                 "Hz for 10,000 members"],
                [[f"{row['frame_bytes']:,}", f"{row['wire_bytes']:,.0f}", f"{row['members']:,.0f}",
                  f"{row['rate_hz']:.1f}"] for row in small])
    print_table(["due, of what the link carries", *WAYS],
                [[f"{load:g}", *(f"{way['delivered']:.2f}, {way['p50']:,.0f}, {way['p99']:,.0f}" +
                                 (f" ({way['not_joined']} not joined)" if way["not_joined"] else "")
                                 for way in ways.values())] for load, ways in full["loads"].items()])
    print("Delivered of all ticks, age p50 and p99 in ms.")
    write_json(asked.json, {"sizes": small, **full})
    return 0


if __name__ == "__main__":
    sys.exit(main())
