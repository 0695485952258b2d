#!/usr/bin/env python3
"""From bare nodes to serving ones, and what may happen to them: the playbooks of ansible/ over SSH on booted
hosts. Takes root. Closes with 'N passed, N failed, N skipped'.

    tests/deploy/run.py --release bookworm|trixie --package FILE [SCENARIO...]

A SCENARIO is a name from the list below, or `short`: one host, and what it takes to deploy to it; without any, all of the list run.
"""

import argparse
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from common import Check  # noqa: E402
from fleet import PACKAGES, Fleet  # noqa: E402
from scenarios import failing, following, front, keeping, serving  # noqa: E402

SCENARIOS = {scenario.__name__: scenario for scenario in
             (serving.provision, serving.ports, serving.upgrade, serving.settings, failing.broken, failing.replace,
              failing.failures, keeping.backup, keeping.secrets, front.tls, following.gitops)} | {"check": keeping.check_mode}
# By name only: a part of what the others prove, in a minute.
SHORT = {"short": serving.short}


def main() -> int:
    parser = argparse.ArgumentParser(description="Tests of deployment on booted hosts.")
    parser.add_argument("--release", choices=("bookworm", "trixie"), default="bookworm")
    parser.add_argument("--package", type=pathlib.Path, required=True)
    parser.add_argument("--keep", action="store_true", help="leave the hosts up")
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS | SHORT))
    arguments = parser.parse_args()
    unknown = [name for name in arguments.scenario if name not in SCENARIOS | SHORT]
    if unknown:
        parser.error(f"unknown scenario '{unknown[0]}': {', '.join(SCENARIOS | SHORT)}")
    if not arguments.package.is_file():
        parser.error(f"there is no package {arguments.package}: ./dev package builds it")
    check = Check()
    fleet = Fleet(arguments.release, arguments.package.resolve(), [] if arguments.scenario == ["short"] else PACKAGES)
    try:
        for name in arguments.scenario or SCENARIOS:
            scenario = (SCENARIOS | SHORT)[name]
            print(f"-- {name}: {scenario.__doc__}", flush=True)
            began = time.monotonic()
            try:
                scenario(fleet, check)
            except Exception:  # pylint: disable=broad-except
                check.that(False, f"{name} runs to its end", traceback.format_exc())
            print(f"   {time.monotonic() - began:.0f} s", flush=True)
    finally:
        if not arguments.keep:
            fleet.close()
    print(f"{check.passed} passed, {check.failed} failed, {check.skipped} skipped")
    return 0 if check.failed == 0 and check.passed else 1


if __name__ == "__main__":
    sys.exit(main())
