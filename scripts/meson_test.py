#!/usr/bin/env python3
"""Runs `meson test` in a build directory and closes with 'N passed, N failed, N skipped'.

What is counted is sentences: Catch2's test cases where a program says how many it ran, and
otherwise the program itself. Further arguments go to meson.
"""

import json
import pathlib
import re
import subprocess
import sys

ALL_PASSED = re.compile(r"All tests passed \(\d+ assertions? in (\d+) test cases?\)")
SOME_FAILED = re.compile(r"^test cases:(.*)$", re.MULTILINE)


def count(result: str, output: str) -> tuple[int, int, int]:
    """Passed, failed and skipped test cases of one program."""
    if result == "SKIP":
        return 0, 0, 1
    if result in ("OK", "EXPECTEDFAIL"):
        found = ALL_PASSED.search(output)
        return (int(found[1]) if found else 1), 0, 0
    parts = {"passed": 0, "failed": 0}
    if found := SOME_FAILED.search(output):
        for number, word in re.findall(r"(\d+) (passed|failed)", found[1]):
            parts[word] = int(number)
    # A program that died or ran out of time has failed, whatever it counted.
    return parts["passed"], max(parts["failed"], 1), 0


def main() -> int:
    build, *arguments = sys.argv[1:]
    log = pathlib.Path(build, "meson-logs", "testlog.json")
    log.unlink(missing_ok=True)
    status = subprocess.run(
        ["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", *arguments], check=False
    ).returncode
    totals = [0, 0, 0]
    if log.exists():
        for line in log.read_text().splitlines():
            entry = json.loads(line)
            for index, number in enumerate(count(entry["result"], entry.get("stdout", ""))):
                totals[index] += number
    print("{} passed, {} failed, {} skipped".format(*totals))
    return status if status or sum(totals) else 1


if __name__ == "__main__":
    sys.exit(main())
