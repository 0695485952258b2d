"""SIGHUP: what the configuration file says now holds for those who are there and those who come; a
broken file changes nothing; what can't change while it runs is named."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import unittest

import harness
import websocket

CORES = min(2, len(os.sched_getaffinity(0)))
# What tells a whole file from one that was cut short.
END = "\n[end]\n"
ROOMS = 'room = [{name = "arena", simulation = "arena"}, {name = "echo", simulation = "echo"}]\n'


class Reloading(unittest.TestCase):
    START = ROOMS

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.file = pathlib.Path(folder, "ringcast.toml")
        self.file.write_text(self.START + END)
        self.server = self.enterContext(harness.serving(
            "--config", str(self.file), "--cores", str(CORES), rooms=(), name="reload"))

    def reload(self, text: str, says: str = "info reloaded") -> str:
        """What the server has logged about it."""
        before = len(self.server.log())
        self.file.write_text(text + END)
        self.server.signal(signal.SIGHUP)
        harness.until(lambda: says in self.server.log()[before:], f"the log says: {says}")
        return self.server.log()[before:]


class Reload(Reloading):
    def test_a_limit_holds_for_sessions_that_are_there(self):
        connections = [websocket.Connection(self.server.port, "/rooms/echo") for _ in range(4)]
        for connection in connections:
            connection.send(websocket.frame(websocket.BINARY, bytes(1000)))
            self.assertEqual(connection.receive_opcode(websocket.BINARY).payload, bytes(1000))
        self.reload("session.message_bytes_max = 999\n" + ROOMS)
        for connection in connections:
            connection.send(websocket.frame(websocket.BINARY, bytes(999)))
            self.assertEqual(connection.receive_opcode(websocket.BINARY).payload, bytes(999))
            connection.send(websocket.frame(websocket.BINARY, bytes(1000)))
            self.assertEqual(connection.receive_close().close_code, 1009)
        self.reload(ROOMS)
        connection = websocket.Connection(self.server.port, "/rooms/echo")
        connection.send(websocket.frame(websocket.BINARY, bytes(1000)))
        self.assertEqual(connection.receive_opcode(websocket.BINARY).payload, bytes(1000))
        connection.close()

    def test_rooms_come_and_go_and_the_others_go_on(self):
        stays = websocket.Connection(self.server.port, "/rooms/echo")
        leaves = websocket.Connection(self.server.port, "/rooms/arena")
        opened = harness.http(self.server.admin_port, post_room(
            {"name": "posted", "simulation": "echo"}))
        self.assertEqual(opened.status, 201, opened.text)
        log = self.reload('room = [{name = "echo", simulation = "echo"},'
                          '        {name = "lobby", simulation = "arena", rate_hz = 20},'
                          '        {name = "hall", simulation = "arena", spread = "all"}]\n')
        self.assertIn("info reloaded rooms_opened=2 rooms_closed=1\n", log)
        self.assertEqual(leaves.receive_close().payload[2:], b"the room is closed")
        self.assertEqual({room["name"] for room in self.server.rooms()["rooms"]},
                         {"echo", "lobby", "hall", "posted"})
        for room in ("lobby", "hall"):
            for _ in range(4):
                connection = websocket.Connection(self.server.port, f"/rooms/{room}")
                connection.receive_opcode(websocket.BINARY)
                connection.close()
        stays.send(websocket.frame(websocket.BINARY, b"still here"))
        self.assertEqual(stays.receive_opcode(websocket.BINARY).payload, b"still here")
        stays.close()
        log = self.reload(ROOMS)
        self.assertIn("info reloaded rooms_opened=1 rooms_closed=2\n", log)
        self.assertEqual({room["name"] for room in self.server.rooms()["rooms"]},
                         {"echo", "arena", "posted"})

    def test_a_broken_file_is_refused_and_nothing_changes(self):
        refused = "error not reloaded, and the server goes on as it was: "
        for text, mistake in (
                ("session.message_bytes_max = 5\n", ":1: session.message_bytes_max must be 125 to"),
                ('[[room]]\nname = "a"', ':1: a room needs a simulation'),
                ('\nroom = [{name = "a", simulation = "chess"}]', ':2: there is no simulation "ch'),
                ("what?", ":1: ")):
            with self.subTest(text=text):
                self.assertIn(refused + str(self.file) + mistake, self.reload(text, refused))
        self.file.unlink()
        before = len(self.server.log())
        self.server.signal(signal.SIGHUP)
        harness.until(lambda: "cannot be read: No such file" in self.server.log()[before:],
                      "a file that is gone is told")
        self.assertEqual(len(self.server.rooms()["rooms"]), 2)
        connection = websocket.Connection(self.server.port, "/rooms/echo")
        connection.send(websocket.frame(websocket.BINARY, bytes(1000)))
        self.assertEqual(connection.receive_opcode(websocket.BINARY).payload, bytes(1000))
        connection.close()
        self.reload(ROOMS)

    def test_what_waits_for_the_next_start_is_named(self):
        log = self.reload("tcp.backlog = 5\ncore.connections_max = 5\n"
                          'room = [{name = "arena", simulation = "arena", rate_hz = 30},'
                          '        {name = "echo", simulation = "echo"}]\n',
                          "from its next start on settings=")
        self.assertIn('settings="tcp, core.connections_max, room \\"arena\\""\n', log)
        arena = json.loads(self.server.admin("/rooms/arena").text)
        self.assertEqual(arena["rate_hz"], 60)

    def test_the_log_changes_its_level_and_form(self):
        self.assertIn('"message":"reloaded"', self.reload(
            'log.format = "json"\n' + ROOMS, '"message":"reloaded"'))
        self.reload(ROOMS)
        before = len(self.server.log())
        self.file.write_text('log.level = "error"\n' + ROOMS + "page = 3" + END)
        self.server.signal(signal.SIGHUP)
        harness.until(lambda: "error not reloaded" in self.server.log()[before:], "an error")
        self.file.write_text('log.level = "error"\n' + ROOMS + END)
        self.server.signal(signal.SIGHUP)
        silent = len(self.server.log())
        self.file.write_text(ROOMS + END)
        harness.until(lambda: self.server.signal(signal.SIGHUP) or
                      "info reloaded" in self.server.log()[silent:], "info again")

    def test_many_signals_at_once_and_a_shutdown_behind_them(self):
        connection = websocket.Connection(self.server.port, "/rooms/arena")
        self.file.write_text('room = [{name = "echo", simulation = "echo"}]' + END)
        for _ in range(50):
            self.server.signal(signal.SIGHUP)
        self.server.signal(signal.SIGTERM)
        self.assertIn(connection.receive_close().close_code, (1000, 1001))
        connection.close()
        self.assertEqual(self.server.wait(), 0)


class CutShort(unittest.TestCase):
    """A file that is read while it is written, or was left half written, must change nothing. That goes for
    each of its bytes (tests/config), of which some are tried here: more lines of one kind the log leaves out."""

    TRIES = 15

    WHOLE = ('log.level = "info"\nsession.messages_per_s = 120\n\n[latest]\nunacknowledged_ticks_max = 15\n'
             '\n[[room]]\nname = "arena"\nsimulation = "arena"\n\n[[room]]\nname = "echo"\nsimulation = "echo"\n'
             'members_max = 1000\n')

    @contextlib.contextmanager
    def serving(self, text: str):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.file = pathlib.Path(folder, "ringcast.toml")
        self.file.write_text(text)
        with harness.serving("--config", str(self.file), rooms=(), name="cut-short") as self.server:
            yield

    def told(self) -> str:
        """Of a reload: the line that ends it."""
        before = len(self.server.log())
        self.server.signal(signal.SIGHUP)
        ends = re.compile(r"(?:info reloaded|error not reloaded).*\n")
        return harness.until(lambda: ends.search(self.server.log()[before:]), "a reload")[0]

    def assert_nothing_changes(self, text: str, tails: list[str]) -> None:
        with self.serving(text):
            with websocket.Connection(self.server.port, "/rooms/echo") as connection:
                for tail in tails:
                    with self.subTest(tail=tail):
                        self.file.write_text(tail)
                        self.assertIn("error not reloaded", self.told())
                self.file.write_text(text)
                self.assertIn("info reloaded rooms_opened=0 rooms_closed=0\n", self.told())
                connection.send(websocket.frame(websocket.BINARY, b"still here"))
                self.assertEqual(connection.receive_opcode(websocket.BINARY).payload, b"still here")

    def test_anywhere_before_its_end_it_is_refused(self):
        text = self.WHOLE + "[end]\n"
        self.assert_nothing_changes(text, [text[:size] for size in range(0, len(text) - 1, len(text) // self.TRIES)])

    def test_without_an_end_what_it_had_must_still_be_there(self):
        text = self.WHOLE
        self.assert_nothing_changes(text, [text[:size] for size in range(0, len(text), len(text) // self.TRIES)])

    def test_what_has_gone_is_named_with_what_to_do(self):
        with self.serving(self.WHOLE):
            self.file.write_text("")
            self.assertIn(f"{self.file}: it may be cut short: it has lost latest.unacknowledged_ticks_max, "
                          "log.level, room \"arena\".name and 6 more; if nothing is missing, let [end] be its last line\n",
                          self.told())
            self.file.write_text(self.WHOLE.replace("members_max = 1000\n", "members_max = 10"))
            self.assertIn(f"{self.file}: it may be cut short: its last line has no end\n", self.told())
            self.file.write_text(self.WHOLE[:-len("members_max = 1000\n")] + "[end] # of it\n\n")
            self.assertIn("info reloaded rooms_opened=0 rooms_closed=0\n", self.told())
            self.file.write_text(self.WHOLE)
            self.assertIn(f"{self.file}: it may be cut short: its last line is not [end] any more\n", self.told())


class Addresses(Reloading):
    """Of direct sockets they are unknown, and which sockets are taken is a matter of limits."""

    START = 'core.direct_sockets = "off"\n' + ROOMS

    def status(self, source: str) -> int:
        """Of a request for nothing; 0 for no answer."""
        with socket.create_connection(("127.0.0.1", self.server.port), harness.WAIT_SECONDS,
                                      (source, 0)) as peer:
            peer.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = harness.read_to_end(peer)
            return harness.Response(answer).status if answer else 0

    def test_limits_of_an_address_and_its_proxy_hold_for_those_who_come(self):
        connections = [websocket.Connection(self.server.port, "/rooms/echo") for _ in range(3)]
        self.reload('proxy_from = ["127.0.0.2"]\naddress.connections_max = 1\n' + self.START)
        # Those who were there had no limit, and are not counted.
        connections.append(websocket.Connection(self.server.port, "/rooms/echo"))
        self.assertEqual([self.status(source) for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3")],
                         [429, 0, 404])
        self.reload(self.START)
        self.assertEqual([self.status(source) for source in ("127.0.0.1", "127.0.0.2")], [404, 404])
        for connection in connections:
            connection.send(websocket.frame(websocket.BINARY, b"still here"))
            self.assertEqual(connection.receive_opcode(websocket.BINARY).payload, b"still here")
            connection.close()


def post_room(settings: dict) -> bytes:
    body = json.dumps(settings)
    return (f"POST /rooms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


class WhileStarting(unittest.TestCase):
    def test_a_signal_waits_until_the_server_is_ready_and_a_pipe_is_not_read_again(self):
        pipe = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), "ringcast.toml")
        os.mkfifo(pipe)
        server = subprocess.Popen(
            [harness.BINARY, "serve", "--config", pipe, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
            stderr=subprocess.PIPE, text=True)
        said = []

        def opened() -> int:
            try:
                return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                return 0

        def until_said(what: str) -> None:
            while not said or what not in said[-1]:
                said.append(server.stderr.readline())
                self.assertTrue(said[-1], said)

        try:
            # Who waits for its configuration is starting.
            end = harness.until(opened, "the server reads its configuration")
            server.send_signal(signal.SIGHUP)
            os.write(end, ROOMS.encode())
            os.close(end)
            until_said(" info serving ")
            until_said(f" not reloaded, and the server goes on as it was: {pipe}: cannot be read again: it is a pipe ")
            server.terminate()
            until_said(" info drained")
            self.assertEqual(server.wait(harness.WAIT_SECONDS), 0)
        finally:
            server.kill()
            server.wait()
            server.stderr.close()


class WithoutFile(unittest.TestCase):
    def test_without_a_file_the_signal_ends_the_server(self):
        with harness.serving(name="reload") as server:
            server.signal(signal.SIGHUP)
            self.assertEqual(server.wait(), 0)
            self.assertIn("info shutting down signal=SIGHUP\n", server.log())


if __name__ == "__main__":
    unittest.main()
