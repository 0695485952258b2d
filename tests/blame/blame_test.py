#!/usr/bin/env python3
"""A server of rooms that throw and hang: the room is ended or named, and nobody else is harmed.

usage: blame_test.py PROGRAM (that of misbehaving.cpp)
"""

import os
import pathlib
import signal
import sys
import unittest

os.environ["RINGCAST_BINARY"] = sys.argv[1]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

import harness  # noqa: E402
from websocket import BINARY, Connection, frame  # noqa: E402

ROOMS = ("bad=misbehaving", "echo=echo")


def joined(server: harness.Server, room: str) -> Connection:
    return Connection(server.port, f"/rooms/{room}", Sec_WebSocket_Protocol=None)


class Blame(unittest.TestCase):
    def test_an_exception_closes_its_room_alone(self):
        with harness.serving(rooms=ROOMS, name="throws") as server, joined(server, "bad") as victim, \
                joined(server, "bad") as culprit, joined(server, "echo") as bystander:
            culprit.send(frame(BINARY, b"t"))
            for peer in (victim, culprit):
                self.assertEqual(peer.receive_close().close_code, 1011)
            bystander.send(frame(BINARY, b"still here"))
            self.assertEqual(bystander.receive_opcode(BINARY).payload, b"still here")
            self.assertEqual(server.admin("/healthz").status, 200)
            harness.until(lambda: server.admin("/rooms/bad").status == 404, "the room is gone")
            self.assertEqual(server.metric("rooms_failed_total"), 1)
            for part in ("a room has failed", "room=bad", "call=input()", "asked to throw"):
                self.assertIn(part, server.log())

    def test_a_call_that_never_returns_is_seen_and_a_signal_still_ends_the_process(self):
        server = harness.Server(rooms=ROOMS, name="hangs", config="drain_timeout_ms = 500\n")
        try:
            with joined(server, "bad") as culprit:
                self.assertEqual(server.admin("/healthz").status, 200)
                culprit.send(frame(BINARY, b"h"))
                harness.until(lambda: server.admin("/healthz").status == 503, "unhealthy")
                self.assertIn("ore 0 stands still in input() for member 1 of room bad",
                              server.admin("/healthz").text)
                self.assertEqual(server.admin("/readyz").status, 503)
                self.assertEqual(server.metric("cores_stuck"), 1)
                server.signal(signal.SIGTERM)
                self.assertEqual(server.wait(), 1)
                self.assertIn("is lost: bad (1 members), echo (0 members)", server.log())
        finally:
            server.kill()


if __name__ == "__main__":
    program = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2)
    sys.exit(0 if program.result.wasSuccessful() else 1)
