"""What a service manager sees of the server (sd_notify(3)): ready, alive, ending; and that it does
not live when one of its cores stands still."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import tempfile
import time
import unittest
import unittest.mock

import harness

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WATCHDOG_USEC = "400000"


class Manager:
    """The socket that NOTIFY_SOCKET names, and the environment of a server started by its owner."""

    def __init__(self, folder: str):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = str(pathlib.Path(folder, "notify"))
        self._socket.bind(path)
        self._socket.settimeout(harness.WAIT_SECONDS)
        self.environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": WATCHDOG_USEC}

    def close(self) -> None:
        self._socket.close()

    def hear(self) -> str:
        return self._socket.recv(4096).decode()

    def hear_until(self, line: str) -> list[str]:
        heard = [self.hear()]
        while line not in heard[-1].splitlines():
            heard.append(self.hear())
        return heard

    def heard_already(self) -> list[str]:
        heard = []
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(self.hear())
        self._socket.settimeout(harness.WAIT_SECONDS)
        return heard


def thread_of(process: int, name: str) -> int:
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise AssertionError(f"no thread {name}")


@contextlib.contextmanager
def standing_still(thread: int):
    """One thread is stopped, as no signal could do it (ptrace(2))."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(request: int) -> None:
        if libc.ptrace(request, thread, None, None) != 0:
            raise unittest.SkipTest(f"ptrace: {os.strerror(ctypes.get_errno())}")

    ptrace(PTRACE_SEIZE)
    try:
        ptrace(PTRACE_INTERRUPT)
        os.waitpid(thread, 0x40000000)  # __WALL: it is a thread, not a child
        yield
    finally:
        ptrace(PTRACE_DETACH)


class ServiceManager(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.manager = Manager(folder)
        self.addCleanup(self.manager.close)
        self.enterContext(unittest.mock.patch.dict(os.environ, self.manager.environment))

    def test_it_hears_that_the_server_is_ready_lives_and_ends(self):
        with harness.serving(name="service-manager") as server:
            self.assertEqual(self.manager.hear(), "READY=1\nSTATUS=serving\n")
            self.assertEqual(self.manager.hear(), "WATCHDOG=1\n")
            server.signal(signal.SIGTERM)
            ending = self.manager.hear_until("STOPPING=1")[-1]
            self.assertIn("EXTEND_TIMEOUT_USEC=15000000\n", ending)
            self.assertEqual(server.wait(), 0)

    def test_it_does_not_hear_that_a_server_lives_of_which_a_core_stands_still(self):
        with harness.serving("--cores", "2", name="service-manager") as server:
            self.manager.hear_until("WATCHDOG=1")
            with standing_still(thread_of(server.process.pid, "core-1")):
                said = "core 1 stands still for "
                harness.until(lambda: said in server.log(), said)
                self.assertEqual(server.admin("/healthz").status, 503)
                self.manager.heard_already()
                # Several times as long as a server that lives lets pass in silence.
                time.sleep(1.5)
                self.assertEqual(self.manager.heard_already(), [])
                self.assertEqual(server.log().count(said), 1)
            self.manager.hear_until("WATCHDOG=1")
            harness.until(lambda: "core 1 turns again" in server.log(), "it turns again")
            self.assertEqual(server.admin("/healthz").status, 200)

    def test_a_manager_that_is_not_there_is_told_and_the_server_serves(self):
        os.environ["NOTIFY_SOCKET"] = "/nowhere/notify"
        with harness.serving(name="service-manager") as server:
            self.assertIn("warning cannot reach the service manager at "
                          "NOTIFY_SOCKET=/nowhere/notify", server.log())


if __name__ == "__main__":
    unittest.main()
