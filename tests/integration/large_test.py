"""Messages larger than a block of frame memory, both ways: over one core and over two."""

import os
import unittest

import harness
import websocket
from websocket import BINARY, CONTINUATION, frame

CORES = min(2, len(os.sched_getaffinity(0)))
LARGEST = 16 << 20
CONFIG = f"""
[session]
message_bytes_max = {LARGEST}
bytes_burst = {2 * LARGEST}
[memory]
frame_memory_bytes = {128 << 20}
[[room]]
name = "echo"
simulation = "echo"
spread = "all"
inbox_bytes_max = {2 * LARGEST}
[[room]]
name = "arena"
simulation = "arena"
"""


def zero_masked(opcode: int, payload: bytes, final: bool) -> bytes:
    """A frame whose mask changes nothing: Python would take seconds for another."""
    head = frame(opcode, b"", final=final, declared=len(payload))
    return head[:-4] + bytes(4) + payload


class Large(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = harness.Server("--cores", str(CORES), rooms=(), config=CONFIG, name="large")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_a_message_of_16_mib_comes_back_in_fragments(self):
        payload = os.urandom(LARGEST)
        # Some of these are on the room's home core, and some on the other.
        for _ in range(4):
            with websocket.Connection(self.server.port, "/rooms/echo") as connection:
                half = LARGEST // 2
                connection.send(zero_masked(BINARY, payload[:half], False))
                connection.send(zero_masked(CONTINUATION, payload[half:], True))
                received, frames = connection.receive_message()
                self.assertTrue(received == payload)
                self.assertEqual(frames, 17)
                connection.send(frame(BINARY, b"and on it goes"))
                self.assertEqual(connection.receive_message(), (b"and on it goes", 1))

    def test_a_byte_more_is_closed_with_1009(self):
        with websocket.Connection(self.server.port, "/rooms/echo") as connection:
            connection.send(frame(BINARY, b"", declared=LARGEST + 1))
            self.assertEqual(connection.receive_close().close_code, 1009)

    def test_others_go_on_while_a_large_message_waits_for_its_reader(self):
        payload = os.urandom(LARGEST)
        with websocket.Connection(self.server.port, "/rooms/echo", receive_buffer=4096) as slow:
            slow.send(zero_masked(BINARY, payload, True))
            with websocket.Connection(self.server.port, "/rooms/echo") as other:
                for _ in range(20):
                    other.send(frame(BINARY, b"hello"))
                    self.assertEqual(other.receive_message(), (b"hello", 1))
            received, _ = slow.receive_message()
            self.assertTrue(received == payload)


if __name__ == "__main__":
    unittest.main()
