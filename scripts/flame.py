#!/usr/bin/env python3
"""Records a server with perf and draws where its CPU time goes: a flame graph, SVG, no network.

flame.py BINARY OUT.svg [--pid PID] [--seconds 10] [--clients 300]: without --pid it starts a server with an
arena and `ringcast load` on it. Samples by cpu-clock, which every machine has, along frame pointers.
A box is a function, its width the samples that had it on the stack, its parent the caller below it.
"""

import argparse
import contextlib
import dataclasses
import html
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

SAMPLES_PER_S = 499
WIDTH, ROW, CHARACTER = 1_200, 17, 6.6
KERNEL = re.compile(r"\[kernel|\[unknown|\.ko\b")


@dataclasses.dataclass
class Box:
    """A function as called by the chain of its parents."""
    name: str
    kernel: bool = False
    samples: int = 0
    callees: dict[str, "Box"] = dataclasses.field(default_factory=dict)

    def callee(self, name: str, kernel: bool) -> "Box":
        return self.callees.setdefault(name, Box(name, kernel))

    def depth(self) -> int:
        return 1 + max((callee.depth() for callee in self.callees.values()), default=0)


def fold(script: str) -> Box:
    """`perf script`'s samples, a paragraph each, innermost function first, as one tree."""
    root = Box("all")
    for paragraph in script.split("\n\n"):
        head, *lines = [line for line in paragraph.splitlines() if line.strip()] or [""]
        if not lines:
            continue
        frames = []
        for line in lines:
            found = re.match(r"\s*[0-9a-f]+ (.+) \(([^)]*)\)$", line)
            if found:
                name = re.sub(r"\+0x[0-9a-f]+$", "", found[1])
                frames.append((name, KERNEL.search(found[2]) is not None))
        box = root
        root.samples += 1
        for name, kernel in [(head.split()[0], False), *reversed(frames)]:
            box = box.callee(name, kernel)
            box.samples += 1
    return root


def short(name: str) -> str:
    """Without arguments and namespaces that all share."""
    name = name.replace("(anonymous namespace)", "{anonymous}")
    return re.sub(r"\(.*", "", name).replace("ringcast::", "")


def colour(box: Box) -> str:
    # A hue for whose code it is, a shade by its name: the same function looks the same everywhere.
    shade = sum(box.name.encode()) % 24
    return f"hsl({205 if box.kernel else 28}, 70%, {58 + shade}%)"


def draw(box: Box, total: int, left: float, row: int, rows: int, out: list[str]) -> None:
    width = WIDTH * box.samples / total
    if width < 0.4:
        return
    top = (rows - row) * ROW + 30
    share = 100 * box.samples / total
    label = short(box.name)
    fits = int(width / CHARACTER)
    text = label if len(label) <= fits else label[:max(0, fits - 2)] + ".." if fits > 4 else ""
    out.append(f'<g><title>{html.escape(box.name)}: {box.samples} samples, {share:.1f}%</title>'
               f'<rect x="{left:.1f}" y="{top}" width="{max(0.3, width - 0.4):.1f}" height="{ROW - 1}" '
               f'fill="{colour(box)}" rx="2"/>'
               + (f'<text x="{left + 3:.1f}" y="{top + 12}">{html.escape(text)}</text>' if text else "")
               + "</g>")
    for callee in sorted(box.callees.values(), key=lambda one: one.name):
        draw(callee, total, left, row + 1, rows, out)
        left += WIDTH * callee.samples / total


def svg(root: Box, title: str) -> str:
    rows = root.depth()
    boxes: list[str] = []
    draw(root, root.samples, 0, 1, rows, boxes)
    height = rows * ROW + 40
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="6" y="18" font-size="13">{html.escape(title)}; orange: the program, blue: the kernel</text>',
        *boxes, "</svg>", ""])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def loaded_server(binary: str, clients: int):
    port = free_port()
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([binary, "serve", "--listen", f"127.0.0.1:{port}", "--admin", "off",
                               "--room", "arena=arena,replicated=0"], **quiet)
    load = None
    try:
        time.sleep(1)
        load = subprocess.Popen([binary, "load", "--url", f"ws://127.0.0.1:{port}/rooms/arena", "--clients",
                                 str(clients), "--seconds", "600"], **quiet)
        time.sleep(4)
        if server.poll() is not None or load.poll() is not None:
            sys.exit("the server or its load did not start")
        yield server.pid
    finally:
        for process in (load, server):
            if process and process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(30)


def record(pid: int, seconds: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        data = str(pathlib.Path(folder, "perf.data"))
        ran = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(SAMPLES_PER_S), "-g",
                              "-p", str(pid), "-o", data, "--", "sleep", str(seconds)],
                             check=False, text=True, capture_output=True)
        if ran.returncode != 0:
            sys.exit(f"perf could not record process {pid}: {ran.stderr.strip()}")
        return subprocess.run(["perf", "script", "-i", data, "-F", "comm,ip,sym,dso"], check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--pid", type=int, help="a server that runs already")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=300, help="of the load, without --pid")
    asked = parser.parse_args()
    if asked.pid:
        script = record(asked.pid, asked.seconds)
    else:
        with loaded_server(asked.binary, asked.clients) as pid:
            script = record(pid, asked.seconds)
    root = fold(script)
    if root.samples == 0:
        sys.exit("no samples: the server was idle, or perf may not look at it (kernel.perf_event_paranoid)")
    asked.out.write_text(svg(root, f"{root.samples} samples in {asked.seconds} s"))
    print(f"{asked.out}: {root.samples} samples")
    return 0


if __name__ == "__main__":
    sys.exit(main())
