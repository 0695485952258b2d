#!/usr/bin/env python3
"""Every script of bench/trace, on a server under load: it prints what its header promises.

scripts_test.py BINARY. Mounts tracefs where it is missing. Where bpf is not permitted or bpftrace cannot
run, each script is skipped with the reason. A script is also skipped when it needs a probe that the binary
says it was built without, and for no other cause.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))
os.environ["RINGCAST_BINARY"] = str(pathlib.Path(sys.argv[1]).resolve())
import harness  # noqa: E402  (it reads the variable)

SECONDS = 3
MAY_BE_MISSING: dict[str, str] = {}


def why_not() -> str | None:
    """What keeps bpftrace from working here at all."""
    if os.geteuid() != 0:
        return "not root"
    if not pathlib.Path("/sys/kernel/tracing/events").exists():
        mounted = subprocess.run(["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"],
                                 check=False, capture_output=True, text=True)
        if mounted.returncode != 0:
            return f"tracefs can't be mounted: {mounted.stderr.strip()}"
    try:
        tried = subprocess.run(["bpftrace", "-e", "BEGIN { exit(); }"], check=False, text=True,
                               capture_output=True, timeout=60)
    except FileNotFoundError:
        return "bpftrace is missing"
    if tried.returncode != 0:
        return f"bpf is not permitted: {tried.stderr.strip().splitlines()[-1]}"
    return None


def promised(script: pathlib.Path) -> list[str]:
    """What the header says that it prints: words, and maps with at least one value."""
    header = [line[3:] for line in script.read_text().splitlines() if line.startswith("//")]
    for wanted in ("Healthy: ", "Prints: ", "Needs: "):
        assert any(line.startswith(wanted) for line in header), f"no '{wanted}' in its header"
    assert header[0].endswith("?"), "its first line asks no question"
    prints = next(line for line in header if line.startswith("Prints: "))[len("Prints: "):]
    return re.findall(r"@\w+|[^@]*[^@\s]", prints)


def kept(promise: str, output: str) -> bool:
    if promise.startswith("@"):
        return re.search(rf"^{promise}(\[.*\])?: ?(\n\[|\d)", output, re.MULTILINE) is not None
    return promise.strip() in output


def check(script: pathlib.Path, pid: int) -> str | None:
    """The reason why it was skipped, or nothing when it did what it promises."""
    promises = promised(script)
    ran = harness.run("trace", script.stem, "--pid", str(pid), "--seconds", str(SECONDS), seconds=90)
    missing = MAY_BE_MISSING.get(script.stem)
    if missing and f"has no probe {missing}" in ran.stderr:
        return ran.stderr.strip()
    assert ran.returncode == 0, f"it ended with {ran.returncode}: {ran.stderr}"
    for promise in promises:
        assert kept(promise, ran.stdout), f"{promise} was promised and not printed:\n{ran.stdout}"
    return None


@contextlib.contextmanager
def load(server: "harness.Server", room: str, clients: int, *arguments: str):
    """So many clients in the room until the block ends."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [harness.BINARY, "load", "--url", f"{server.url}/rooms/{room}", "--clients", str(clients),
             "--seconds", "900", *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            harness.until(lambda: server.metric("room_members", f'room="{room}"') >= clients,
                          f"{clients} clients are in the room")
            yield
            assert process.poll() is None, "the load ended before its time"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def main() -> int:
    passed = failed = skipped = 0
    scripts = sorted((ROOT / "bench/trace").glob("*.bt"))
    assert scripts, "there are no scripts"
    if reason := why_not():
        for script in scripts:
            print(f"skipped: {script.stem}: {reason}")
        print(f"0 passed, 0 failed, {len(scripts)} skipped")
        return 0
    listed = harness.run("trace", "list").stdout
    rooms = ("arena=arena,replicated=0", "replicated=arena")
    slow = ("--slow", "2", "--slow-rcvbuf", "4096")
    with (harness.serving(name="trace", rooms=rooms) as server, load(server, "arena", 50, *slow),
          load(server, "replicated", 10)):
        for script in scripts:
            try:
                assert script.stem in listed, "ringcast trace list does not name it"
                reason = check(script, server.process.pid)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                print(f"FAILED: {script.stem}: {error}", file=sys.stderr)
                failed += 1
                continue
            if reason:
                print(f"skipped: {script.stem}: {reason}")
                skipped += 1
            else:
                print(f"ok: {script.stem} prints what it promises")
                passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
