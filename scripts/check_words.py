#!/usr/bin/env python3
"""Refuses what should never be committed: unfinished business, one machine's paths, lock files that
remember where their packages were fetched from."""

import re
import subprocess
import sys

# Written so that this file does not match itself.
FORBIDDEN = [
    (re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b"), "unfinished business"),
    (re.compile(r"(?<![\w.$}])/(wo" + r"rk|ro" + r"ot|ho" + r"me/\w)[/\w]"), "a path of one machine"),
    (re.compile(r'"resolved": "ht' + r"tp"), "a package registry's address (npm's "
     "omit-lockfile-registry-resolved leaves it out)"),
]
TEXT_ONLY = re.compile(r"\.(png|ico|woff2?)$|^tests/fuzz/corpus/")


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, stdout=subprocess.PIPE,
    ).stdout.decode()
    found = 0
    for path in filter(None, listed.split("\0")):
        if TEXT_ONLY.search(path):
            continue
        try:
            lines = open(path, encoding="utf-8").read().splitlines()
        except FileNotFoundError:
            continue  # deleted and not yet committed
        for number, line in enumerate(lines, 1):
            for pattern, why in FORBIDDEN:
                if pattern.search(line):
                    found += 1
                    print(f"{path}:{number}: {why}")
    if not found:
        print("words: nothing that should not be here")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
