#!/usr/bin/env python3
"""Writes debian/changelog from CHANGELOG.md.

    debian_changelog.py CHANGELOG VERSION DATE > debian/changelog

VERSION's section comes first, or, before it is released, what stands under Unreleased; the released ones
follow. DATE is VERSION's, in seconds since 1970, unless its heading has one.
"""

import datetime
import email.utils
import re
import sys
import textwrap

MAINTAINER = "The ringcast authors <ringcast@example.org>"
HEADING = re.compile(r"^## \[([^]]+)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)


def sections(text: str):
    """(version, date or None, its lines) of each."""
    found = list(HEADING.finditer(text))
    for heading, after in zip(found, [*found[1:], None]):
        date = heading[2] and datetime.datetime.fromisoformat(heading[2]).replace(tzinfo=datetime.timezone.utc)
        yield heading[1], date, text[heading.end():after.start() if after else len(text)]


def changes(section: str) -> list[str]:
    """Each item of a section as one line, without what only Markdown shows."""
    items: list[str] = []
    for line in section.splitlines():
        if line.startswith("- "):
            items.append(line[2:])
        elif line.startswith("  ") and items:
            items[-1] += " " + line.strip()
        elif line.startswith("["):
            break  # link targets end the document
    return [re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", item).replace("`", "").replace("**", "")
            for item in items]


def entry(version: str, date: datetime.datetime, items: list[str]) -> str:
    wrapped = (textwrap.fill(item, 78, initial_indent="  * ", subsequent_indent="    ",
                             break_long_words=False, break_on_hyphens=False) for item in items)
    return (f"ringcast ({version}) stable; urgency=medium\n\n" + "\n".join(wrapped) +
            f"\n\n -- {MAINTAINER}  {email.utils.format_datetime(date)}\n")


def main() -> int:
    path, version, seconds = sys.argv[1:]
    built = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
    with open(path, encoding="utf-8") as file:
        every = {name: (date, changes(text)) for name, date, text in sections(file.read())}
    unreleased = every.pop("Unreleased", (None, []))
    date, items = every.pop(version, unreleased)
    items = items or ["Nothing that its users notice."]
    print(entry(version, date or built, items), end="")
    for name, (released, old) in every.items():
        print("\n" + entry(name, released or built, old), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
