"""A guest that is booted, runs its job and powers off; and what it said. The kernel writes to one serial
port, the job to another; a guest that does not come to its job's end within its time is killed and has
failed, whatever it printed before."""

import dataclasses
import pathlib
import re
import subprocess
import time

from debian_kernel import Kernel

QEMU = "qemu-system-x86_64"
KILLED = (-9, 128 + 9)  # timeout(1) ends as it has ended its command
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
TROUBLE = re.compile(r"BUG:|WARNING:|Oops|Kernel panic|Call Trace|rcu.*stall|unable to handle")


@dataclasses.dataclass(frozen=True)
class Part:
    """One program of a job: what it printed, and its exit status; None when it never ended."""

    output: str
    status: int | None


class Guest:
    """Boots at once; lives `seconds` at most, whatever becomes of this process."""

    def __init__(self, kernel: Kernel, initramfs: pathlib.Path, logs: pathlib.Path, seconds: int,
                 network: tuple[str, ...] = ("-nic", "none")):
        self.seconds_max = seconds
        self.console, self.results = logs.with_suffix(".console"), logs.with_suffix(".results")
        self.results.write_text("")
        self.began = time.monotonic()
        # The first accelerator that is there: KVM where the machine has it, otherwise emulation.
        self.process = subprocess.Popen(
            ["timeout", "--signal=KILL", str(seconds), QEMU, "-M", "q35",
             "-accel", "kvm", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "512", "-nodefaults",
             "-display", "none", "-no-reboot", *network,
             "-serial", f"file:{self.console}", "-serial", f"file:{self.results}",
             "-kernel", str(kernel.image), "-initrd", str(initramfs),
             "-append", "console=ttyS0 panic=-1 loglevel=4"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.seconds = 0.0
        self.failures: list[str] = []

    def finish(self) -> None:
        """Waits until the guest has powered off or its time is over."""
        _, errors = self.process.communicate()
        self.seconds = time.monotonic() - self.began
        if self.process.returncode in KILLED:
            self.failures.append(f"not done after {self.seconds_max} s")
        elif self.process.returncode != 0:
            self.failures.append(f"{QEMU}: {errors.strip()}")
        if "@@ done" not in self.said().splitlines():
            self.failures.append("its job did not come to an end; the console's last lines:\n"
                                 + "\n".join(self.console_lines()[-15:]))
        self.failures += [f"its kernel said: {line}" for line in self.console_lines()
                          if TROUBLE.search(line)][:3]

    def said(self) -> str:
        return COLOUR.sub("", self.results.read_text(errors="replace"))

    def console_lines(self) -> list[str]:
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        return [line for line in text.replace("\r", "").splitlines() if line.strip()]

    def part(self, name: str) -> Part:
        _, _, rest = self.said().partition(f"@@ begin {name}\n")
        end = re.search(rf"^(.*?)@@ end {name} (\d+)$", rest, re.DOTALL | re.MULTILINE)
        return Part(end[1], int(end[2])) if end else Part(rest, None)
