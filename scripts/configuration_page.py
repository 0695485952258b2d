#!/usr/bin/env python3
"""Makes the manual page ringcast.toml(5) of docs/configuration.md, so that there is one text to keep true.

    configuration_page.py INPUT OUTPUT VERSION

It knows the Markdown that the document uses: headings, paragraphs, lists, fenced code, tables, and in a line
`code`, **bold** and links. Whatever else a line begins with is refused rather than set wrongly.
"""

import pathlib
import re
import sys

HEAD = r'''.TH RINGCAST.TOML 5 "" "ringcast {version}" "File Formats"
.SH NAME
ringcast.toml \- configuration of the realtime room server
.SH SYNOPSIS
.I /etc/ringcast/ringcast.toml
.br
.BI "ringcast serve \-\-config " FILE
.SH DESCRIPTION
'''
TAIL = r'''.SH SEE ALSO
.BR ringcast (1),
.BR ringcast\-serve (1),
.BR ringcast\-doctor (1)
'''
# Told by ringcast-serve(1).
LEFT_OUT = {"Flags of `ringcast serve`"}
# Files of the repository, and where the package has them.
INSTALLED = {"config/ringcast.toml": "/etc/ringcast/ringcast.toml"}
UNKNOWN = re.compile(r"[*+>] |\d+\. |!\[|<")
TARGET = re.compile(r"\[[^\]]+\]: \S+$")


def escape(text: str) -> str:
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + text if text[:1] in (".", "'") else text


def inline(text: str) -> str:
    """`code` is bold, a link is its text; one that is a sentence of its own leads nowhere here."""
    text = re.sub(r"\. \[[^\]]+\]\([^)]+\)$", ".", text)
    text = re.sub(r"\[((?:[^\]`]|`[^`]*`)+)\]\([^)]+\)", r"\1", text)
    text = re.sub(r"(^|[^`\w])\[([^\]`]+\(\d\))\]", r"\1\2", text)  # [page(3)], its target elsewhere
    text = re.sub(r"\*\*([^*]+)\*\*", r"`\1`", text)
    for name, place in INSTALLED.items():
        text = text.replace(name, f"`{place}`")
    parts = text.split("`")
    if len(parts) % 2 == 0:
        raise ValueError(f"a ` without its other: {text}")
    set_parts = (part if index % 2 == 0 else rf"\fB{escape(part)}\fP"
                 for index, part in enumerate(parts))
    line = "".join(escape(part) if index % 2 == 0 else part
                   for index, part in enumerate(set_parts))
    return line.replace(r"\&\&", r"\&")


def cells(row: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def table(rows: list[str]) -> list[str]:
    """Each row a tagged paragraph: what is in its first cell, the default if it has one, the rest."""
    columns, lines = cells(rows[0]), []
    for row in rows[2:]:
        name, *between, meaning = cells(row)
        lines += [".TP", inline(name), inline(meaning[:1].upper() + meaning[1:]).rstrip(".") + "."]
        if between and between[0]:
            if columns[1] != "default":
                raise ValueError(f"a table with a column that is unknown here: {columns[1]}")
            lines.append(f"Default: {inline(between[0])}.")
    return lines + [".PP"]


def blocks(text: str):
    """(kind, lines) of each heading, fenced block, table and paragraph."""
    lines = iter(text.splitlines())
    kind, held = None, []
    for line in lines:
        if TARGET.match(line):
            continue
        now = ("blank" if not line.strip() else "heading" if line.startswith("#") else
               "code" if line.startswith("```") else "table" if line.startswith("|") else
               "list" if line.startswith("- ") or (kind == "list" and line.startswith("  ")) else
               "text")
        if held and now != kind:
            yield kind, held
            held = []
        kind = now
        if now == "code":
            code = []
            for inner in lines:
                if inner.startswith("```"):
                    break
                code.append(inner)
            yield "code", code
        elif now == "heading":
            yield "heading", [line]
        elif now != "blank":
            held.append(line)
    if held:
        yield kind, held


def page(text: str) -> list[str]:
    out, leave_out = [], False
    for kind, lines in blocks(text):
        if kind == "heading":
            level, title = lines[0].split(" ", 1)
            leave_out = title in LEFT_OUT
            if len(level) > 1 and not leave_out:
                out.append(f'.SH "{inline(title.upper()) if level == "##" else inline(title)}"')
        elif leave_out:
            continue
        elif kind == "code":
            out += [".RS", ".nf", *map(escape, lines), ".fi", ".RE", ".PP"]
        elif kind == "list":
            for item in "\n".join(lines)[2:].split("\n- "):
                out += [r".IP \(bu 2", inline(" ".join(map(str.strip, item.splitlines())))]
            out.append(".PP")
        elif kind == "table":
            out += table(lines)
        else:
            if wrong := next(filter(UNKNOWN.match, lines), None):
                raise ValueError(f"Markdown that is unknown here: {wrong}")
            out += [inline(" ".join(lines)), ".PP"]
    # A paragraph macro before a heading or at the end says nothing.
    return [line for line, after in zip(out, out[1:] + [".SH"])
            if not (line == ".PP" and after.startswith(".SH"))]


def main() -> int:
    source, target, version = sys.argv[1:]
    try:
        lines = page(pathlib.Path(source).read_text(encoding="utf-8"))
    except ValueError as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 1
    pathlib.Path(target).write_text(HEAD.format(version=version) + "\n".join(lines) + "\n" + TAIL,
                                    encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
