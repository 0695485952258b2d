"""A soak: clients that join, leave, stall and die at random, by a seed, for as long as is asked. Nothing
may leak and ticks may not pile up. See docs/performance.md.

While it runs, samples of /metrics and /proc are printed. At the end everybody goes, and the server must
hold exactly what it held before the first client came. Exits with 1 and one sentence when it does not.
"""

import argparse
import collections
import dataclasses
import os
import pathlib
import random
import re
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from measuring import ROOT, free_port, quantile, scrape, wait_for, write_json

sys.path.insert(0, str(ROOT / "tests/integration"))
import websocket  # noqa: E402  the least of RFC 6455, shared with the tests

ACKNOWLEDGE_EVERY = 6         # ticks
UNACKNOWLEDGED_MAX = 15       # the server's default, latest.unacknowledged_ticks_max
RECEIVE_BUFFERS = 16          # of a core: so few that a leak of some is seen as exhaustion
LIFE_SECONDS = (0.2, 12.0)
STALL_SECONDS = (1.0, 8.0)
SMALL_BUFFER_BYTES = 4_096
JOINS_PER_STEP = 8
STEP_SECONDS = 0.01
QUIET_SECONDS_MAX = 20
WARM_UP = 0.25                # of the run: until then memory may grow
RSS_GROWTH_MAX_KIB = 1_024    # after that; 1 KiB leaked by each of a thousand lives
LATE_TICKS_MAX = 1.0          # median lateness of a sample, in ticks

# What becomes of a client, and how often.
FATES = {"leaves": 4, "dies": 3, "stalls and goes on": 3, "stalls and dies": 3, "dies while it joins": 1}


@dataclasses.dataclass
class Sample:
    seconds: float
    sessions: int
    connections: int
    backlog_frames: int
    frame_bytes: int      # of frame memory in use
    descriptors: int
    rss_kib: int
    ticks: int            # since the sample before, likewise the next
    overrun: int
    late_ms: float        # median
    exhausted: int        # receives that found no buffer
    lives: int            # begun so far


class Soaked:
    """The server, with few receive buffers; an echo room on each core for the roll call."""

    def __init__(self, asked: argparse.Namespace):
        self.port, self.admin, self.rate_hz, self.cores = free_port(), free_port(), asked.rate_hz, asked.cores
        self.config = tempfile.NamedTemporaryFile("w", suffix=".toml")
        self.config.write(f"""
            listen = "127.0.0.1:{self.port}"
            admin = "127.0.0.1:{self.admin}"
            cores = "{asked.cores}"
            [log]
            level = "warning"
            [core]
            direct_sockets = "{asked.direct_sockets}"
            [memory]
            receive_buffers = {RECEIVE_BUFFERS}
            [[room]]
            name = "soak"
            simulation = "arena"
            spread = "{'none' if asked.cores == 1 else 'all'}"
            rate_hz = {asked.rate_hz}
            parameters = {{ replicated = 0 }}
            """ + "".join(f"""
            [[room]]
            name = "echo{core}"
            simulation = "echo"
            core = {core}
            """ for core in range(asked.cores)))
        self.config.flush()
        self.process = subprocess.Popen(
            [str(asked.build / "ringcast"), "serve", "--config", self.config.name],
            stdout=subprocess.DEVNULL)
        wait_for(self.port, self.process)
        self.before: dict[str, float] = {}

    def metrics(self) -> dict[str, float]:
        return scrape(self.admin)

    def sample(self, seconds: float, lives: int) -> Sample:
        if self.process.poll() is not None:
            sys.exit(f"soak: the server ended with {self.process.returncode}")
        now = self.metrics()
        within = {name: value - self.before.get(name, 0) for name, value in now.items()}
        self.before = now
        lateness = collections.Counter()
        for name, count in within.items():
            if name.startswith("ringcast_room_tick_lateness_seconds_bucket") and 'room="soak"' in name:
                lateness[float(name.split('le="')[1].split('"')[0])] += count
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return Sample(
            seconds, int(total(now, "sessions")), int(total(now, "connections")),
            int(total(now, "backlog_frames")), int(total(now, "frame_memory_used_bytes")),
            len(os.listdir(f"/proc/{self.process.pid}/fd")),
            int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)[1]),
            int(total(within, "room_ticks_total", 'room="soak"')),
            int(total(within, "room_ticks_overrun_total", 'room="soak"')),
            1e3 * quantile(sorted(lateness.items()), 0.5) if sum(lateness.values()) else 0.0,
            int(total(within, "receive_buffers_exhausted_total")), lives)


def total(metrics: dict[str, float], name: str, labels: str = "") -> float:
    return sum(value for key, value in metrics.items()
               if key.partition("{")[0] == f"ringcast_{name}" and labels in key)


class Client:
    """One life. Reads without blocking, acknowledges, and checks that ticks rise. While it is stalled
    it does nothing; snapshots older than the moment when it goes on are those that waited for it."""

    def __init__(self, soak: "Soak", fate: str, now: float):
        self.soak, self.fate = soak, fate
        self.ends = now + soak.random.uniform(*LIFE_SECONDS)
        self.stall_ends = self.ends + soak.random.uniform(*STALL_SECONDS)
        self.stalls, self.stalled, self.resumed_at = "stalls" in fate, False, None
        self.behind, self.closing = 0, False
        self.tick, self.acknowledged, self.received = -1, 0, bytearray()
        self.upgraded = False
        self.socket = socket.socket()
        if self.stalls and soak.random.random() < 0.5:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", soak.server.port))
        request = websocket.upgrade_request("/rooms/soak")
        if fate == "dies while it joins":
            self.socket.sendall(request[:soak.random.randrange(len(request) + 1)])
            self.reset()
            return
        self.socket.sendall(request)
        self.socket.setblocking(False)
        soak.selector.register(self.socket, selectors.EVENT_READ, self)
        soak.clients.add(self)

    def live(self, now: float) -> None:
        if not self.stalled and now >= self.ends and not self.closing:
            if self.stalls and self.resumed_at is None:
                self.stalled = True
                self.soak.selector.unregister(self.socket)
            elif self.fate == "dies":
                self.die()
            elif self.resumed_at is None or now >= self.ends + 1:
                self.say(websocket.frame(websocket.CLOSE, websocket.close_payload(1000)))
                self.closing = True
        elif self.stalled and now >= self.stall_ends:
            if self.fate == "stalls and dies":
                self.die()
            else:
                self.stalled, self.resumed_at, self.behind = False, self.soak.newest_tick, 0
                self.ends = now
                self.soak.selector.register(self.socket, selectors.EVENT_READ, self)

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def die(self) -> None:
        if not self.stalled:
            self.soak.selector.unregister(self.socket)
        self.soak.clients.discard(self)
        self.reset()

    def say(self, message: bytes) -> None:
        try:
            self.socket.send(message)
        except OSError:
            pass  # what it means is seen when it is read

    def read(self) -> None:
        try:
            chunk = self.socket.recv(262_144)
        except BlockingIOError:
            return
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            self.soak.ended(self)
            return
        self.received += chunk
        if not self.upgraded:
            head, separator, rest = bytes(self.received).partition(b"\r\n\r\n")
            if not separator:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                sys.exit(f"soak: not upgraded: {head[:60]!r}")
            self.upgraded, self.received = True, bytearray(rest)
        for opcode, payload in self.frames():
            self.take(opcode, payload)

    def frames(self):
        """The whole frames received, taken out of the buffer."""
        position, size = 0, len(self.received)
        while size - position >= 2:
            length, start = self.received[position + 1] & 0x7F, position + 2
            if length >= 126:
                wide = 2 if length == 126 else 8
                if size < start + wide:
                    break
                length = int.from_bytes(self.received[start:start + wide], "big")
                start += wide
            if size < start + length:
                break
            yield self.received[position] & 0x0F, bytes(self.received[start:start + length])
            position = start + length
        del self.received[:position]

    def take(self, opcode: int, payload: bytes) -> None:
        if opcode == websocket.PING:
            self.say(websocket.frame(websocket.PONG, payload))
        elif opcode == websocket.CLOSE:
            self.soak.closes[struct.unpack("!H", payload[:2])[0] if payload else 1005] += 1
            if not self.closing:
                self.say(websocket.frame(websocket.CLOSE, payload[:2]))
        elif opcode == websocket.BINARY and payload[0] >> 3 == 2:  # a snapshot
            self.snapshot(payload)

    def snapshot(self, payload: bytes) -> None:
        tick = websocket.tick_of(websocket.server_message(payload)[1])
        if tick <= self.tick:
            sys.exit(f"soak: tick {tick} came after tick {self.tick}")
        self.tick = tick
        self.soak.snapshots += 1
        self.soak.newest_tick = max(self.soak.newest_tick, tick)
        if self.resumed_at is not None and tick < self.resumed_at:
            self.behind += 1
            self.soak.behind_most = max(self.soak.behind_most, self.behind)
        if tick - self.acknowledged >= ACKNOWLEDGE_EVERY and not self.closing:
            self.acknowledged = tick
            self.say(websocket.frame(websocket.BINARY, websocket.field(1, tick)))


class Soak:
    def __init__(self, server: Soaked, seed: int, crowd: int):
        self.server, self.crowd = server, crowd
        self.random = random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.clients: set[Client] = set()
        self.closes: collections.Counter = collections.Counter()
        self.fates: collections.Counter = collections.Counter()
        self.newest_tick, self.snapshots, self.behind_most = 0, 0, 0
        self.step_seconds_most, self.stepped_at = 0.0, time.monotonic()

    @property
    def lives(self) -> int:
        return sum(self.fates.values())

    def ended(self, client: Client) -> None:
        self.selector.unregister(client.socket)
        client.socket.close()
        self.clients.discard(client)

    def step(self, joining: bool) -> None:
        now = time.monotonic()
        self.step_seconds_most = max(self.step_seconds_most, now - self.stepped_at)
        self.stepped_at = now
        for _ in range(min(JOINS_PER_STEP, self.crowd - len(self.clients)) if joining else 0):
            fate, = self.random.choices(list(FATES), list(FATES.values()))
            self.fates[fate] += 1
            Client(self, fate, now)
        for key, _ in self.selector.select(STEP_SECONDS):
            if key.data in self.clients:
                key.data.read()
        for client in list(self.clients):
            client.live(now)

    def disperse(self) -> None:
        """Everybody goes, half by a reset."""
        for client in list(self.clients):
            if self.random.random() < 0.5:
                client.die()
            else:
                client.ends = client.stall_ends = 0
                client.stalls = client.stalled
        give_up = time.monotonic() + QUIET_SECONDS_MAX
        while self.clients:
            if time.monotonic() > give_up:
                sys.exit(f"soak: {len(self.clients)} clients are still not closed {QUIET_SECONDS_MAX} s "
                         "after they asked for it")
            self.step(joining=False)


def waiting_max(rate_hz: int, step_seconds_most: float) -> int:
    """How many snapshots may wait for a client that has stalled: the server lets so many be on their way
    as take K ticks and the round trip, which is as long as this program's longest step there and back."""
    return 2 * UNACKNOWLEDGED_MAX + round(2 * step_seconds_most * rate_hz)


def settled_descriptors(server: Soaked) -> int:
    """The fewest of two seconds: the admin endpoint closes a connection a little after it has answered."""
    fewest = 1 << 30
    for _ in range(20):
        fewest = min(fewest, len(os.listdir(f"/proc/{server.process.pid}/fd")))
        time.sleep(0.1)
    return fewest


def settle(server: Soaked) -> dict[str, float]:
    """The metrics once no connection is left, or as they are when that takes too long."""
    give_up = time.monotonic() + QUIET_SECONDS_MAX
    while True:
        metrics = server.metrics()
        if not total(metrics, "connections") or time.monotonic() > give_up:
            return metrics
        time.sleep(0.2)


def roll_call(server: Soaked) -> None:
    """Many times the receive buffers there are, one at a time: with all of them gone, nobody hears."""
    for core in range(server.cores):
        with websocket.Connection(server.port, f"/rooms/echo{core}", Sec_WebSocket_Protocol=None) as caller:
            for number in range(4 * RECEIVE_BUFFERS):
                caller.send(websocket.frame(websocket.TEXT, f"{number}".encode()))
                if caller.receive().payload != f"{number}".encode():
                    sys.exit("soak: the echo was not what was said")


def leak_of(before: dict[str, float], after: dict[str, float], samples: list[Sample],
            descriptors: tuple[int, int], exhausted: float, rate_hz: int, behind_most: int,
            behind_max: int) -> str:
    """What has leaked or piled up, as a sentence; empty when nothing has."""
    for name in ("connections", "sessions", "room_members", "backlog_frames", "backlog_bytes",
                 "sends_in_flight", "frame_memory_used_bytes"):
        had, has = total(before, name), total(after, name)
        if has > had:
            return f"{name} was {had:.0f} before the first client and is {has:.0f} after the last one"
    if descriptors[1] > descriptors[0]:
        return f"{descriptors[0]} descriptors were open before the first client, {descriptors[1]} after the last"
    if exhausted:
        return f"{exhausted:.0f} receives of one client at a time found no free buffer"
    warm = [sample for sample in samples if sample.seconds >= WARM_UP * samples[-1].seconds]
    third = max(1, len(warm) // 3)
    early, late = (max(sample.rss_kib for sample in part) for part in (warm[:third], warm[-third:]))
    if late - early > RSS_GROWTH_MAX_KIB:
        return f"memory grew from {early} to {late} KiB after the warm-up"
    last = samples[-third:]
    if all(sample.late_ms > LATE_TICKS_MAX * 1e3 / rate_hz for sample in last):
        return f"ticks pile up: the median lateness is {last[-1].late_ms:.0f} ms"
    if behind_most > behind_max:
        return f"{behind_most} old snapshots waited for a client that had stalled, {behind_max} may"
    return ""


def print_row(sample: Sample) -> None:
    print("| " + " | ".join(f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
                            for value in dataclasses.astuple(sample)) + " |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=150, help="alive at a time")
    parser.add_argument("--rate-hz", type=int, default=20)
    parser.add_argument("--cores", type=int, default=1,
                        help="of the server; with more than one the room is spread")
    parser.add_argument("--direct-sockets", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--sample-seconds", type=int, default=0, help="between samples (default: 20 in all)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / "build/bench-soak.json")
    asked = parser.parse_args()
    every = asked.sample_seconds or max(2, asked.seconds // 20)

    server = Soaked(asked)
    try:
        roll_call(server)  # what the first session brings with it is not what a session costs
        before = settle(server)
        descriptors_before = settled_descriptors(server)
        server.sample(0, 0)
        soak = Soak(server, asked.seed, asked.clients)
        heads = ["seconds", "sessions", "connections", "backlog frames", "frame bytes", "descriptors",
                 "RSS KiB", "ticks", "overrun", "late p50 ms", "buffers exhausted", "lives"]
        print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), flush=True)
        samples: list[Sample] = []
        started, next_sample = time.monotonic(), every
        while (elapsed := time.monotonic() - started) < asked.seconds or not samples:
            soak.step(joining=True)
            if elapsed >= next_sample:
                samples.append(server.sample(elapsed, soak.lives))
                print_row(samples[-1])
                next_sample += every
        soak.disperse()
        settle(server)
        exhausted = total(server.metrics(), "receive_buffers_exhausted_total")
        roll_call(server)
        after = settle(server)
        exhausted = total(after, "receive_buffers_exhausted_total") - exhausted
        descriptors = (descriptors_before, settled_descriptors(server))
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(30)
    finally:
        if server.process.poll() is None:
            server.process.kill()

    behind_max = waiting_max(asked.rate_hz, soak.step_seconds_most)
    leak = leak_of(before, after, samples, descriptors, exhausted, asked.rate_hz, soak.behind_most, behind_max)
    if not leak and status != 0:
        leak = f"the server ended with {status}"
    print(f"\n{soak.lives:,} lives (" + ", ".join(f"{count:,} {fate}" for fate, count in soak.fates.items())
          + f"), {soak.snapshots:,} snapshots read. At most {soak.behind_most} old ones waited for a client "
          f"that had stalled ({behind_max} may; this program's longest step took {soak.step_seconds_most:.2f} s). "
          f"Closed by the server: {dict(soak.closes)}.")
    write_json(asked.json, {"soak": {"samples": [dataclasses.asdict(sample) for sample in samples],
                                     "lives": soak.fates, "behind_most": soak.behind_most,
                                     "behind_max": behind_max, "leak": leak}})
    if leak:
        print(f"soak: {leak}", file=sys.stderr)
        return 1
    print("Nothing leaked.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
