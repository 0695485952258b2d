#!/usr/bin/env python3
"""Boots the kernels that users run, Debian 12's and Debian 13's, under qemu, and has each keep the
contract suite, say what it has, serve a crowd, and send without copying. Prints what each did and closes with
'N passed, N failed, N skipped'; --record also writes it into docs/kernels.md.
"""

import argparse
import pathlib
import sys

import debian_kernel
import suite
import zero_copy
from outcome import Outcome

RELEASES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
DOCUMENT = suite.ROOT / "docs/kernels.md"
BEGIN, END = "<!-- recorded: begin -->\n", "<!-- recorded: end -->\n"


def table(outcomes: list[Outcome]) -> str:
    kernels = [outcome.kernel.release.partition("-")[0].partition("+")[0] for outcome in outcomes]
    rows = [["feature", "since", "what it does here", *kernels]]
    for feature in dict.fromkeys(key for outcome in outcomes for key in outcome.features):
        name, since, used_for = feature
        rows.append([name, since, used_for,
                     *("yes" if outcome.features.get(feature) else "-" for outcome in outcomes)])
    lines = ["| " + " | ".join(row) + " |\n" for row in rows]
    return lines[0] + "|" + "---|" * len(rows[0]) + "\n" + "".join(lines[1:])


def describe(outcome: Outcome) -> str:
    return "\n  ".join([f"{outcome.title}, {outcome.seconds:.0f} s", *outcome.lines]) + "\n"


def record(outcomes: list[Outcome]) -> None:
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table(outcomes)}\n```\n"
                        + "\n".join(map(describe, outcomes)) + f"```\n\n{END}{after}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=suite.ROOT / "build/debug")
    parser.add_argument("--kernels", type=pathlib.Path, default=suite.ROOT / "build/kernels",
                        help="where packages are unpacked and logs are written")
    parser.add_argument("--only", choices=RELEASES, action="append")
    parser.add_argument("--record", action="store_true", help="write the result into docs/kernels.md")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    outcomes = []
    for release in asked.only or RELEASES:
        folder = asked.kernels / release
        try:
            kernel = debian_kernel.fetch(release, RELEASES[release], folder)
        except debian_kernel.NoKernel as why:
            sys.exit(f"{RELEASES[release]}'s kernel cannot be had: {why}")
        outcomes.append(Outcome(kernel))
        suite.run(kernel, asked.build, folder, outcomes[-1])
        zero_copy.run(kernel, asked.build, folder, outcomes[-1])
        print(describe(outcomes[-1]), flush=True)
    print(table(outcomes))
    passed, failed, skipped = (sum(getattr(outcome, name) for outcome in outcomes)
                               for name in ("passed", "failed", "skipped"))
    if asked.record and not failed:
        record(outcomes)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
