"""What do rooms cost? A thousand idle ones, in memory and CPU; and 500 rooms of 20 members beside one of
10,000: the part of their ticks that members get, and what a frame costs beside the large room alone.

An idle room's figures are the difference to the same server with one room, those of its CPU at two rates: what
does not follow the rate would be a scan. The crowd is a --part of it all (a half by default): a process may not
have 20,000 connections everywhere.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

from measuring import Case, Server, Setup, add_arguments, cpu_ns, print_table, setup_of, write_json

IDLE, SMALL_ROOMS, SMALL_MEMBERS, LARGE_MEMBERS, RATE_HZ = 1_000, 500, 20, 10_000, 10
# More often than the default of latest.acknowledge_every_ticks asks for.
ACKNOWLEDGEMENTS_PER_S = 4
IDLE_RATES_HZ = (60, 1)
IDLE_KIB_MAX = 32
DUE = ('ringcast_room_ticks_total{room="arena"}', 'ringcast_room_ticks_overrun_total{room="arena"}')
SENT = 'ringcast_frames_sent_total{core="0",class="latest"}'


def resident_bytes(pid: int) -> int:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1_024
    sys.exit(f"process {pid} has no VmRSS")


def table(name: str, simulation: str, rate_hz: int, parameters: str = "") -> str:
    return (f'[[room]]\nname = "{name}"\nsimulation = "{simulation}"\nrate_hz = {rate_hz}\n'
            f"parameters = {{ {parameters} }}\n")


class Rooms(Server):
    """The usual arena, here the large room, and others."""

    def __init__(self, setup: Setup, rate_hz: int, others: list[str]):
        self.others = others
        super().__init__(setup, Case(0, rate_hz))

    def tables(self) -> str:
        return "".join(self.others)

    def launch(self, command: list[str], **options) -> None:
        # Ticks that are late as a thousand rooms begin at once.
        super().launch(command, stderr=subprocess.DEVNULL, **options)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def idle(setup: Setup, rooms: int, rate_hz: int) -> tuple[int, float]:
    """Resident bytes, and seconds of CPU in a second."""
    server = Rooms(setup, 60, [table(f"idle{index}", "echo", rate_hz) for index in range(rooms)])
    try:
        time.sleep(2)
        cpu, began = cpu_ns(server.process.pid), time.monotonic()
        time.sleep(setup.seconds)
        cpu, took = cpu_ns(server.process.pid) - cpu, time.monotonic() - began
        return resident_bytes(server.process.pid), cpu / 1e9 / took
    finally:
        server.end()


def crowded(setup: Setup, small_rooms: int, large_members: int) -> dict:
    """Readers in the arena and in so many small rooms."""
    server = Rooms(setup, RATE_HZ, [table(f"small{index}", "arena", RATE_HZ, "replicated = 0, bots = 4, players = 0, fragments = 0")
                                    for index in range(small_rooms)])
    crowds = []

    def crowd(*arguments: str) -> None:
        command = [str(setup.build / "bench/siege/crowd"), "--does", "read",
                   "--per-second", str(ACKNOWLEDGEMENTS_PER_S), "--port", str(server.port), *arguments]
        crowds.append(setup.on_cpu(setup.load_cpu, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=1))

    try:
        crowd("--room", "arena", "--clients", str(large_members))
        if small_rooms:
            crowd("--room", "small", "--rooms", str(small_rooms), "--clients", str(small_rooms * SMALL_MEMBERS))
        for each in crowds:
            each.stderr.readline()  # all have connected
        time.sleep(2)
        before, cpu = server.scrape(), cpu_ns(server.process.pid)
        time.sleep(setup.seconds)
        after, cpu = server.scrape(), cpu_ns(server.process.pid) - cpu
        for each in crowds:
            each.terminate()
        joined = sum(json.loads(each.communicate(timeout=60)[0])["joined"] for each in crowds)
    finally:
        server.end()
    # Rooms beyond the hundredth share one label; all have the same rate, so the large one's ticks count for them.
    frames = after[SENT] - before[SENT]
    due = joined * sum(after[name] - before[name] for name in DUE)
    return {"members": joined, "frames": frames, "delivered": frames / max(1, due),
            "us_per_frame": cpu / 1e3 / max(1, frames)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, "bench-rooms")
    parser.add_argument("--part", type=int, default=2, help="a crowd so many times smaller")
    asked = parser.parse_args()
    setup = setup_of(asked)
    part = 50 if asked.quick else asked.part
    few = idle(setup, 1, IDLE_RATES_HZ[0])
    many = {rate: idle(setup, IDLE, rate) for rate in IDLE_RATES_HZ}
    kib = (many[IDLE_RATES_HZ[0]][0] - few[0]) / 1_024 / (IDLE - 1)
    us = {rate: 1e6 * (cpu - few[1]) / (IDLE - 1) for rate, (_, cpu) in many.items()}
    alone = crowded(setup, 0, LARGE_MEMBERS // part)
    together = crowded(setup, SMALL_ROOMS // part, LARGE_MEMBERS // part)
    print(f"An idle room: {kib:.1f} KiB (at most {IDLE_KIB_MAX}), and of CPU in a second " +
          ", ".join(f"{cost:.1f} us at {rate} Hz" for rate, cost in us.items()) + ".\n")
    print_table(["crowd", "members", "delivered", "us a frame"],
                [[name, f"{seen['members']:,}", f"{seen['delivered']:.3f}", f"{seen['us_per_frame']:.2f}"]
                 for name, seen in (("the large room alone", alone),
                                    (f"beside {SMALL_ROOMS // part} rooms of {SMALL_MEMBERS}", together))])
    write_json(asked.json, {"idle_kib": kib, "idle_us_per_s": us, "alone": alone, "together": together,
                            "rate_hz": RATE_HZ})
    if kib > IDLE_KIB_MAX:
        print(f"not reached: an idle room takes {kib:.1f} KiB", file=sys.stderr)
    return 1 if kib > IDLE_KIB_MAX and not asked.quick else 0


if __name__ == "__main__":
    sys.exit(main())
