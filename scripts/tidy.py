#!/usr/bin/env python3
"""Runs clang-tidy-19 over the sources of a build directory, as many at once as there are cores.

A source whose preprocessed text and rules are those of an earlier clean run is not looked at
again, in whichever checkout that was: the cache is a folder of empty files, named by digest, in
$XDG_CACHE_HOME (~/.cache). Those that no run met for a month are deleted. Test programs
are left out (Catch2's macros are what they are made of), benchmarks are not.
"""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKED = ("src/", "bench/")
UNUSED_SECONDS_MAX = 30 * 24 * 3600


def marks_of_clean_sources() -> pathlib.Path:
    """The cache, without what no run met for a month."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    cache = pathlib.Path(home) / "ringcast/tidy-clean"
    cache.mkdir(parents=True, exist_ok=True)
    for mark in cache.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another run has deleted it
            if time.time() - mark.stat().st_mtime > UNUSED_SECONDS_MAX:
                mark.unlink()
    return cache


def preprocessed(command: list[str], directory: str) -> bytes:
    """What the compiler sees: the command with -E instead of an output file."""
    words = [word for word in command if word != "ccache"]
    output = words.index("-o")
    del words[output : output + 2]
    return subprocess.run(
        [*words, "-E", "-w", "-o", "-"], cwd=directory, check=True, stdout=subprocess.PIPE
    ).stdout


def check(build: pathlib.Path, cache: pathlib.Path, rules: bytes, entry: dict) -> tuple[str, str | None]:
    """The source's path and what clang-tidy said when it was not clean."""
    directory = entry["directory"]
    source = (pathlib.Path(directory) / entry["file"]).resolve()
    name = str(source.relative_to(ROOT))
    try:
        text = preprocessed(shlex.split(entry["command"]), directory)
    except subprocess.CalledProcessError:
        return name, f"{name} does not compile"
    mark = cache / hashlib.sha256(rules + text).hexdigest()
    if mark.exists():
        mark.touch()
        return name, None
    run = subprocess.run(
        ["clang-tidy-19", "--quiet", "-p", str(build), str(source)],
        check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    if run.returncode == 0:
        mark.touch()
        return name, None
    return name, run.stdout or f"clang-tidy-19 ended with {run.returncode} on {name}"


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    cache = marks_of_clean_sources()
    version = subprocess.run(["clang-tidy-19", "--version"], check=True, stdout=subprocess.PIPE).stdout
    rules = version + (ROOT / ".clang-tidy").read_bytes()
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if build not in source.parents and source.relative_to(ROOT).as_posix().startswith(CHECKED):
            entries[source] = entry
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, complaint in pool.map(
            lambda entry: check(build, cache, rules, entry), entries.values()
        ):
            if complaint is not None:
                failed += 1
                print(f"-- {name}\n{complaint}", flush=True)
    print(f"{len(entries) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not entries else 0


if __name__ == "__main__":
    sys.exit(main())
