"""Whoever reads the server's log may stop to: a full pipe, Ctrl-S on a terminal. The server goes on, and
the log says afterwards what it lost."""

import contextlib
import fcntl
import os
import signal
import subprocess
import termios
import tempfile
import pathlib
import unittest

import harness

F_SETPIPE_SZ = 1031


class Log(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.config = pathlib.Path(folder, "ringcast.toml")
        self.config.write_text("page = true\n")
        self.admin_port = harness.free_port()

    @contextlib.contextmanager
    def serving(self, stderr: int):
        server = subprocess.Popen(
            [harness.BINARY, "serve", "--listen", "127.0.0.1:0", "--admin", f"127.0.0.1:{self.admin_port}",
             "--config", self.config], stdin=subprocess.DEVNULL, stderr=stderr)
        try:
            harness.until(lambda: self.is_ready(), "/readyz answers 200")
            yield server
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(harness.WAIT_SECONDS), 0)
        finally:
            server.kill()
            server.wait()

    def get(self, path: str) -> harness.Response:
        return harness.http(self.admin_port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def lines_lost(self) -> int:
        return int(self.get("/metrics").text.partition("\nringcast_log_lines_lost_total ")[2].split("\n")[0])

    def make_it_write(self, server: subprocess.Popen) -> None:
        """Until lines are lost: each reload writes two."""
        def lost() -> bool:
            server.send_signal(signal.SIGHUP)
            return self.lines_lost() > 3
        harness.until(lost, "lines are lost")

    def test_a_pipe_that_nobody_empties_stops_nobody(self):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
        with self.serving(writer) as server:
            os.close(writer)
            self.make_it_write(server)
            self.assertEqual(self.get("/healthz").status, 200)
            with open(reader, errors="replace") as log:
                harness.until(lambda: "lost here: nobody read the log meanwhile\n" in log.readline(),
                              "the log says what it lost")
                os.set_blocking(reader, False)
                server.send_signal(signal.SIGTERM)
                self.assertEqual(server.wait(harness.WAIT_SECONDS), 0)
                self.assertIn(" info drained\n", log.read())

    def test_neither_does_a_terminal_that_was_stopped(self):
        reader, terminal = os.openpty()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, terminal)
        with self.serving(terminal) as server:
            termios.tcflow(terminal, termios.TCOOFF)
            self.make_it_write(server)
            self.assertEqual(self.get("/healthz").status, 200)


if __name__ == "__main__":
    unittest.main()
