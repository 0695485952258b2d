#!/usr/bin/env python3
"""Runs an npm script of a folder (`test` unless another is named) and closes with 'N passed,
N failed, N skipped'.

The counts are those with which node's test runner ends ("# pass 12" or with a sign before it).
"""

import re
import subprocess
import sys

# A passing run is told in one line a test.
TEST_LINE = re.compile(r"^\s*(not ok|ok) \d+ - ")
COUNT = re.compile(r"^\S+ (pass|fail|skipped) (\d+)$", re.MULTILINE)


def main() -> int:
    folder, script = sys.argv[1], (sys.argv[2:] or ["test"])[0]
    run = subprocess.run(
        ["npm", "--silent", "--prefix", folder, "run", script],
        check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    for line in run.stdout.splitlines():
        if run.returncode or TEST_LINE.match(line):
            print(TEST_LINE.sub(r"\1   ", line))
    totals = {"pass": 0, "fail": 0, "skipped": 0}
    for word, number in COUNT.findall(run.stdout):
        totals[word] += int(number)
    print("{pass} passed, {fail} failed, {skipped} skipped".format(**totals))
    return run.returncode if run.returncode or sum(totals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
