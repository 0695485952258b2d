"""What an idle session costs the server: at most 2 KiB of its own memory."""

import contextlib
import re
import unittest

import harness
import websocket

BYTES_PER_SESSION_MAX = 2048


def own_bytes(pid: int) -> int:
    """The process's proportional set size: memory that it holds, shared pages counted in part."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return int(re.search(r"^Pss:\s+(\d+) kB$", rollup.read(), re.MULTILINE)[1]) * 1024


@unittest.skipIf(harness.QUICK, "sanitizers have their own idea of memory")
class Memory(unittest.TestCase):
    def test_an_idle_session_costs_at_most_2_kib(self):
        wanted = 10_000
        # This process and the server hold one descriptor each for a session, and some of their own.
        sessions = min(wanted, harness.descriptor_limit(wanted + 200) - 200)
        with harness.serving(name="memory") as server, contextlib.ExitStack() as stack:
            # What the first session brings with it is not what a session costs.
            stack.enter_context(websocket.Connection(server.port, "/rooms/echo"))
            before = own_bytes(server.process.pid)
            for _ in range(sessions):
                stack.enter_context(websocket.Connection(server.port, "/rooms/echo"))
            harness.until(lambda: server.metric("sessions") == sessions + 1, "all are sessions")
            each = (own_bytes(server.process.pid) - before) / sessions
            print(f"     {each:.0f} bytes for each of {sessions} idle sessions")
            self.assertLessEqual(each, BYTES_PER_SESSION_MAX)
            self.assertGreater(each, 0)


if __name__ == "__main__":
    unittest.main()
