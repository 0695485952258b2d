#!/usr/bin/env python3
"""The probes of a binary are those that docs/tracing.md says: probe_table_test.py BINARY.

Reads the notes that sys/sdt.h leaves in the ELF file (readelf prints them) and compares names and numbers
of arguments with the page's table.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NOTE = re.compile(r"Provider: ringcast\s+Name: (\w+)\s+Location: \S+, Base: \S+, "
                  r"Semaphore: (\S+)\s+Arguments: (.*)")
# Only where there are zero-copy sends.
MAY_BE_MISSING: set[str] = set()


def documented() -> dict[str, int]:
    page = (ROOT / "docs/tracing.md").read_text()
    table = page.partition("\n## The probes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table, re.MULTILINE)
    return {name: len(arguments.split(",")) for name, arguments in rows}


def main() -> int:
    notes = subprocess.run(["readelf", "--notes", sys.argv[1]], check=True, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    found: dict[str, set[int]] = {}
    mistakes = []
    for name, semaphore, arguments in NOTE.findall(notes):
        found.setdefault(name, set()).add(len(arguments.split()))
        if int(semaphore, 16) == 0:
            mistakes.append(f"{name} has no semaphore: it would cost even while nobody looks")
        if not all(re.match(r"-?8@", argument) for argument in arguments.split()):
            mistakes.append(f"{name} has arguments that are not of eight bytes: {arguments}")
    table = documented()
    if not table:
        mistakes.append("docs/tracing.md has no table of probes")
    for name in sorted(table.keys() - found.keys() - MAY_BE_MISSING):
        mistakes.append(f"{name} is in docs/tracing.md and not in the binary")
    for name, counts in sorted(found.items()):
        if name not in table:
            mistakes.append(f"{name} is in the binary and not in docs/tracing.md")
        elif counts != {table[name]}:
            mistakes.append(f"{name} has {sorted(counts)} arguments, docs/tracing.md says {table[name]}")
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    print(f"{len(found)} probes in the binary, {len(table)} in docs/tracing.md")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
