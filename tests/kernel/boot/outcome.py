"""What became of one kernel: lines for people, and counts."""

import dataclasses

from debian_kernel import Kernel

SKIPPED = 77  # the exit status of a program whose kernel lacks what it is about


@dataclasses.dataclass
class Outcome:
    kernel: Kernel
    seconds: float = 0          # that its guests ran
    lines: list[str] = dataclasses.field(default_factory=list)
    # By name, since and use: whether the kernel has it.
    features: dict[tuple[str, str, str], bool] = dataclasses.field(default_factory=dict)
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def title(self) -> str:
        return f"{self.kernel.debian}, Linux {self.kernel.release} (package {self.kernel.package_version})"

    def add(self, passed: int, failed: int, skipped: int) -> None:
        self.passed, self.failed, self.skipped = (
            self.passed + passed, self.failed + failed, self.skipped + skipped)

    def fail(self, line: str) -> None:
        self.lines.append(line)
        self.failed += 1


def ending(status: int | None) -> str:
    return "did not end" if status is None else f"exit status {status}"
