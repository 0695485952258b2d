"""How the server ends: everybody hears of it, with the code that says whether it comes back."""

import contextlib
import pathlib
import signal
import socket
import tempfile
import time
import unittest
import unittest.mock

import harness
import websocket
from websocket import CLOSE, close_payload, frame, goodbye


class Ending(unittest.TestCase):
    def test_sigterm_and_sigint_close_every_session_with_1001_and_exit_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number), harness.serving(name="signals") as server, \
                    contextlib.ExitStack() as stack:
                rooms = ["/rooms/arena"] * 10 + ["/rooms/echo"] * 10
                sessions = [stack.enter_context(websocket.Connection(server.port, room))
                            for room in rooms]
                server.signal(number)
                for connection in sessions:
                    self.assertEqual(goodbye(connection)[1], 1001)
                    self.assertTrue(connection.at_end())
                    connection.close()
                self.assertEqual(server.wait(), 0)

    def test_a_going_away_with_a_delay_comes_before_the_close(self):
        with harness.serving(name="signals") as server, \
                websocket.Connection(server.port) as connection:
            connection.receive_opcode(websocket.BINARY)  # its welcome
            server.signal(signal.SIGTERM)
            going_away, _ = goodbye(connection)
            self.assertIsNotNone(going_away)
            self.assertLessEqual(going_away.get(1, [0])[0], 2_000)

    def test_what_was_accepted_but_not_upgraded_is_answered_503(self):
        with harness.serving(name="signals") as server, contextlib.ExitStack() as stack:
            half = [stack.enter_context(harness.connect(server.port)) for _ in range(5)]
            for connection in half:
                connection.sendall(websocket.upgrade_request()[:30])
            harness.until(lambda: server.metric("connections") == 5, "five connections are open")
            server.signal(signal.SIGTERM)
            for connection in half:
                self.assertEqual(harness.Response(harness.read_to_end(connection)).status, 503)
                connection.close()
            self.assertEqual(server.wait(), 0)

    def test_a_session_that_never_answers_the_close_does_not_hold_up_the_exit(self):
        config = "drain_timeout_ms = 500\n[session]\nclose_timeout_ms = 500\n"
        with harness.serving(config=config, name="signals") as server, \
                websocket.Connection(server.port, receive_buffer=4096):
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)

    def test_who_reads_on_gets_all_that_waited_however_short_a_handshake_may_be(self):
        config = ("drain_timeout_ms = 60000\n[session]\nclose_timeout_ms = 200\n"
                  "messages_per_s = 0\nbytes_per_s = 0\nreliable_bytes_max = 8000000\n")
        with harness.serving(config=config, name="signals") as server, \
                websocket.Connection(server.port, "/rooms/echo", receive_buffer=4096) as connection:
            for number in range(40):
                connection.send(frame(websocket.BINARY, bytes([number]) * 60_000))
            harness.until(lambda: server.metric("backlog_bytes") > 2_000_000, "all echoes wait")
            server.signal(signal.SIGTERM)
            harness.until(lambda: "shutting down" in server.log(), "the server shuts down")
            time.sleep(0.5)
            for number in range(40):
                self.assertEqual(connection.receive().payload[:1], bytes([number]))
            self.assertEqual(goodbye(connection)[1], 1001)
            connection.close()
            self.assertEqual(server.wait(), 0)

    def test_who_connects_while_it_drains_is_refused(self):
        config = "drain_timeout_ms = 3000\n"
        with harness.serving(config=config, name="signals") as server, \
                websocket.Connection(server.port) as connection:
            server.signal(signal.SIGTERM)
            # The going_away says that the accept is being cancelled; the connection stays open.
            self.assertEqual(connection.receive_close().close_code, 1001)

            def refused() -> bool:
                try:
                    harness.connect(server.port).close()
                except ConnectionRefusedError:
                    return True
                return False

            harness.until(refused, "a new connection is refused")
            self.assertIsNone(server.process.poll())
            connection.send(frame(CLOSE, close_payload(1001)))
            self.assertEqual(server.wait(), 0)

    def test_a_server_without_connections_ends_at_once(self):
        with harness.serving(name="signals") as server:
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)

    def test_the_port_can_be_used_again_at_once(self):
        with harness.serving(name="signals") as first:
            with websocket.Connection(first.port) as connection:
                first.signal(signal.SIGTERM)
                goodbye(connection)
            self.assertEqual(first.wait(), 0)
            harness.Server(port=first.port, name="signals").stop()


class Limits(unittest.TestCase):
    def test_a_limit_of_open_files_that_is_too_low_is_told_at_the_start(self):
        with harness.serving(config="[core]\nconnections_max = 1000000\n", name="limits") as server:
            self.assertIn("LimitNOFILE", server.log())

    def test_connections_that_the_limit_does_not_allow_are_answered_503(self):
        limited = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), "limited")
        limited.write_text(f'#!/bin/sh\nulimit -n 100\nexec "{harness.BINARY}" "$@"\n')
        limited.chmod(0o755)
        for direct, served in (("off", 16), ("on", 84)):
            with unittest.mock.patch.object(harness, "BINARY", str(limited)), \
                    harness.serving(config=f'[core]\ndirect_sockets = "{direct}"\n',
                                    name=f"limits-{direct}") as server, \
                    contextlib.ExitStack() as stack:
                self.assertIn(f"connections: {served} instead of core.connections_max = 16384",
                              server.log())
                for _ in range(served):
                    stack.enter_context(websocket.Connection(server.port))
                refused = harness.http(server.port, websocket.upgrade_request())
                self.assertEqual(refused.status, 503)
                self.assertEqual(server.metric("accept_errors_total"), 0)


class HandedIn(unittest.TestCase):
    """A socket of the service manager: the listener outlives the server."""

    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.addCleanup(self.listener.close)

    def test_it_is_served_and_its_sessions_are_closed_with_1012(self):
        with harness.serving(listener=self.listener, name="handed-in") as server, \
                websocket.Connection(server.port) as connection:
            server.signal(signal.SIGTERM)
            self.assertEqual(goodbye(connection)[1], 1012)
            connection.close()
            self.assertEqual(server.wait(), 0)

    def test_a_connection_made_between_two_servers_is_served_by_the_next(self):
        with harness.serving(listener=self.listener, name="handed-in"):
            pass
        waiting = harness.connect(self.listener.getsockname()[1])
        waiting.sendall(websocket.upgrade_request())
        with harness.serving(listener=self.listener, name="handed-in"), waiting:
            self.assertTrue(waiting.recv(4096).startswith(b"HTTP/1.1 101 "))


if __name__ == "__main__":
    unittest.main()
