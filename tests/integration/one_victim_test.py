"""One fault, one victim: what a few clients do, or what happens to the server's process, is felt by
nobody who is not to blame."""

import contextlib
import signal
import socket
import threading
import unittest

import harness
import websocket
from websocket import BINARY, CONTINUATION, PING, PONG, TEXT, frame


class Stopped(unittest.TestCase):
    def test_nobody_is_lost_for_an_answer_that_came_while_the_process_was_stopped(self):
        harness.descriptor_limit(1_000)
        config = """
[memory]
receive_buffers = 16
[session]
heartbeat_interval_ms = 1000
heartbeat_timeout_ms = 1000
"""
        with harness.serving(rooms=("echo=echo",), config=config, name="stopped") as server, \
                contextlib.ExitStack() as stack:
            clients = [stack.enter_context(websocket.Connection(server.port, "/rooms/echo"))
                       for _ in range(200)]
            for client in clients:
                self.assertEqual(client.receive().opcode, PING)
            server.signal(signal.SIGSTOP)
            for client in clients:
                client.send(frame(PONG))
                client.send(frame(TEXT, b"still here"))
            # Far beyond the time that an answer may take.
            threading.Event().wait(4)
            server.signal(signal.SIGCONT)
            for client in clients:
                self.assertEqual(client.receive_opcode(TEXT).payload, b"still here")
            self.assertEqual(server.metric("heartbeat_timeouts_total"), 0)
            self.assertEqual(server.metric("sessions_closed_total", 'code="1006"'), 0)


class Floods(unittest.TestCase):
    """Of frames that ask for nothing: they cost all the same."""

    server: harness.Server

    @classmethod
    def setUpClass(cls):
        cls.server = harness.Server(name="floods")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def assert_flood_is_closed(self, first: bytes, again: bytes, path: str) -> bytes:
        with websocket.Connection(self.server.port, path) as connection:
            def flood():
                # Ends at the latest when the connection is shut down below.
                with contextlib.suppress(OSError):
                    connection.send(first)
                    for _ in range(2_000):
                        connection.send(again * 100)

            flooder = threading.Thread(target=flood)
            flooder.start()
            try:
                goodbye = connection.receive_close()
            finally:
                connection.socket.shutdown(socket.SHUT_RDWR)
                flooder.join()
            self.assertEqual(goodbye.close_code, 1008)
            return goodbye.payload[2:]

    def test_pongs_are_a_flood_like_any_other(self):
        self.assert_flood_is_closed(b"", frame(PONG), "/rooms/arena")

    def test_fragments_of_nothing_are_a_flood_like_any_other(self):
        self.assert_flood_is_closed(frame(BINARY, final=False), frame(CONTINUATION, final=False),
                                    "/rooms/arena")

    def test_a_raw_room_says_why_it_ends_rather_than_drop_a_message_in_silence(self):
        reason = self.assert_flood_is_closed(b"", frame(TEXT, b"x"), "/rooms/echo")
        self.assertEqual(reason, b"messages come faster than the limit")
