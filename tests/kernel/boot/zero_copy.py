"""Two guests joined by a wire: what zero-copy sends do over a real driver, which loopback, always
copying, cannot show. The probe (tests/kernel/zero_copy_probe.cpp) prints what it saw; here it has passed
when every byte came whole and every announced notification came, too."""

import pathlib
import socket

import initramfs
from debian_kernel import Kernel
from guest import Guest
from outcome import SKIPPED, Outcome, ending

# virtio's device gathers and checksums only where its backend does (a cloud's tap does, the socket
# between these guests does not); the e1000e that qemu emulates always does.
DEVICES = {"virtio": ("virtio-net-pci", ["virtio_pci", "virtio_net"]), "e1000e": ("e1000e", ["e1000e"])}
PROBE = "tests/kernel/zero_copy_probe"
ADDRESSES = {"sink": "10.0.0.1", "send": "10.0.0.2"}
SECONDS = 150


def two_free_ports() -> tuple[int, int]:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def boot(kernel: Kernel, build: pathlib.Path, folder: pathlib.Path, device: str, role: str,
         ports: tuple[int, int]) -> Guest:
    model, modules = DEVICES[device]
    job = (f"ADDRESS={ADDRESSES[role]} PEER={ADDRESSES['sink']}\n"
           + (initramfs.HERE / f"job_{role}").read_text())
    name = folder / f"{device}-{role}"
    packed = initramfs.build(name, job, [build / PROBE], initramfs.Modules(kernel).in_order(modules))
    mac = "52:54:00:00:00:0" + ADDRESSES[role][-1]
    # Datagrams on loopback: neither guest has to be there first.
    wire = f"socket,id=wire,localaddr=127.0.0.1:{ports[0]},udp=127.0.0.1:{ports[1]}"
    return Guest(kernel, packed, name, SECONDS,
                 ("-netdev", wire, "-device", f"{model},netdev=wire,mac={mac},romfile="))


def check(guest: Guest, part: str, title: str, outcome: Outcome) -> None:
    said = guest.part(part)
    outcome.lines += [f"{title}:", *(f"  {line}" for line in said.output.splitlines())]
    if said.status == SKIPPED:
        outcome.add(0, 0, 1)
    elif said.status == 0 and said.output:
        outcome.add(1, 0, 0)
    else:
        outcome.fail(f"  {ending(said.status)}")


def run(kernel: Kernel, build: pathlib.Path, folder: pathlib.Path, outcome: Outcome) -> None:
    for device in DEVICES:
        ports = two_free_ports()
        sink = boot(kernel, build, folder, device, "sink", ports)
        sender = boot(kernel, build, folder, device, "send", ports[::-1])
        for guest in (sender, sink):
            guest.finish()
            for failure in guest.failures:
                outcome.fail(f"{device}: {failure}")
        outcome.seconds += sender.seconds
        check(sender, "wire", f"zero-copy sends over {device}", outcome)
        if sink.part("sink").status != 0:
            outcome.fail(f"  what came over {device} was not what was sent:\n{sink.part('sink').output}")
    check(sender, "loopback", "zero-copy sends over loopback", outcome)
