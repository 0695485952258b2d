"""What every integration test needs: a server on free ports that is always ended, HTTP over a plain
socket, and nothing that can wait for ever.

The server under test is $RINGCAST_BINARY (run.py sets it). A test that leaves its server dead, or a
server that does not end cleanly on SIGTERM, is a failure: sanitizers speak through exit codes.
"""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

BINARY = os.environ.get("RINGCAST_BINARY", "build/release/ringcast")
QUICK = os.environ.get("RINGCAST_QUICK") == "1"
LOGS = pathlib.Path(BINARY).parent / "integration"

# Bounds, not expectations: long enough for a sanitized server on a busy machine.
WAIT_SECONDS = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what: str, seconds: float = WAIT_SECONDS):
    """Polls until `condition()` is true and returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


def descriptor_limit(wanted: int) -> int:
    """Raises this process's (and its children's) limit of open files towards `wanted`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = hard if hard != resource.RLIM_INFINITY and hard < wanted else wanted
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return max(soft, limit)


class Server:
    """A running `ringcast serve`, with the rooms `arena` and `echo` unless told otherwise."""

    def __init__(self, *arguments: str, rooms=("arena=arena,replicated=0", "echo=echo"), config: str = "",
                 port: int | None = None, listener: socket.socket | None = None,
                 name: str = "server"):
        self.port = listener.getsockname()[1] if listener else port or free_port()
        self.admin_port = free_port()
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log_path = LOGS / f"{name}-{self.port}.log"
        self._folder = tempfile.TemporaryDirectory()
        command = [BINARY, "serve", "--listen", f"127.0.0.1:{self.port}",
                   "--admin", f"127.0.0.1:{self.admin_port}", *arguments]
        for room in rooms:
            command += ["--room", room]
        if config:
            path = pathlib.Path(self._folder.name, "ringcast.toml")
            path.write_text(config)
            command += ["--config", str(path)]
        handed_in = {}
        if listener is not None:
            # Descriptor 3 and LISTEN_PID, as sd_listen_fds(3) has it: the process id is known only
            # after the fork.
            announce = "import os,sys; os.environ['LISTEN_PID'] = str(os.getpid()); " \
                       "os.execv(sys.argv[1], sys.argv[1:])"
            command = [sys.executable, "-c", announce, *command]
            handed_in = {"pass_fds": (3,), "preexec_fn": lambda: os.dup2(listener.fileno(), 3),
                         "env": {**os.environ, "LISTEN_FDS": "1"}}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, **handed_in)
        try:
            until(self._ready, f"/readyz answers 200; the server said:\n{self.log()}")
        except BaseException:
            self.kill()
            raise

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
        try:
            return self.admin("/readyz").status == 200
        except OSError:
            return False

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def admin(self, path: str) -> "Response":
        return http(self.admin_port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
                                     "Connection: close\r\n\r\n".encode())

    def metric(self, name: str, labels: str = "") -> float:
        """The sum of a metric's samples whose labels contain `labels`."""
        total, found = 0.0, False
        for line in self.admin("/metrics").text.splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == f"ringcast_{name}" and labels in (match[2] or ""):
                total, found = total + float(match[3]), True
        if not found:
            raise AssertionError(f"/metrics has no ringcast_{name} with {labels or 'any label'}")
        return total

    def rooms(self) -> dict:
        return json.loads(self.admin("/rooms").text)

    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        """The exit status; a server that does not end in time is killed, and that is a failure."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end within {seconds:g} s:\n{self.log()}") \
                from None

    def stop(self) -> None:
        """Ends the server as an operator would, and asserts that it went well."""
        try:
            if self.alive():
                self.signal(signal.SIGTERM)
            status = self.wait()
            if status != 0:
                raise AssertionError(f"the server ended with {status}:\n{self.log()}")
        finally:
            self._folder.cleanup()

    def kill(self) -> None:
        if self.alive():
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()


@contextlib.contextmanager
def serving(*arguments, **options):
    """A server for the length of a block; stopped and checked only if the block did not fail."""
    server = Server(*arguments, **options)
    try:
        yield server
    except BaseException:
        server.kill()
        raise
    server.stop()


def run(*arguments: str, seconds: float = WAIT_SECONDS) -> subprocess.CompletedProcess:
    """Runs `ringcast ...` to its end with its output as text."""
    return subprocess.run([BINARY, *arguments], stdin=subprocess.DEVNULL, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds)


class Response:
    def __init__(self, raw: bytes):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", status_line)
        if not match:
            raise AssertionError(f"not an HTTP response: {raw[:200]!r}")
        self.status = int(match[1])
        self.headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()

    @property
    def text(self) -> str:
        return self.body.decode()


def read_to_end(connection: socket.socket) -> bytes:
    """All that comes until the peer closes. A reset counts as a close."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)


def http(port: int, request: bytes) -> Response:
    """Sends a request and reads the answer until the server closes."""
    with connect(port) as connection:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(request)
        return Response(read_to_end(connection))
