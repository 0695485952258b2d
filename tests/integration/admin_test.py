"""The admin endpoint tells what is going on, in words that Prometheus understands."""

import contextlib
import pathlib
import socket
import subprocess
import unittest

import harness
import websocket

server: harness.Server

# What operators' dashboards and alerts are built on.
FAMILIES = """
sessions connections rooms backlog_frames backlog_bytes sends_in_flight sessions_closed_total
frames_sent_total frames_dropped_total frames_replaced_total receive_buffers_exhausted_total
allocations_total sent_bytes_total
""".split()


def setUpModule():
    global server
    server = harness.Server(name="admin")


def tearDownModule():
    server.stop()


def promtool() -> str:
    return str(pathlib.Path("build/tools/usr/bin/promtool"))


class Admin(unittest.TestCase):
    def test_it_is_healthy_and_ready(self):
        self.assertEqual(server.admin("/healthz").status, 200)
        self.assertEqual(server.admin("/readyz").status, 200)

    def test_an_unknown_path_is_answered_404_and_another_method_405(self):
        self.assertEqual(server.admin("/secrets").status, 404)
        request = b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
        self.assertEqual(harness.http(server.admin_port, request).status, 405)

    def test_garbage_does_not_take_it_down(self):
        with harness.connect(server.admin_port) as connection:
            connection.sendall(b"\x00\xff" * 10_000)
            harness.read_to_end(connection)
        self.assertEqual(server.admin("/healthz").status, 200)

    def test_a_client_that_says_nothing_does_not_hold_up_another(self):
        with harness.connect(server.admin_port):
            self.assertEqual(server.admin("/healthz").status, 200)

    def test_a_crowd_that_says_nothing_does_not_shut_out_another(self):
        with contextlib.ExitStack() as stack:
            for _ in range(100):
                stack.enter_context(harness.connect(server.admin_port))
            self.assertEqual(server.admin("/healthz").status, 200)

    def test_another_host_or_origin_is_refused_everywhere(self):
        for path in ("/", "/healthz", "/readyz", "/metrics", "/rooms", "/live/events"):
            for headers in ("Host: evil.example", f"Host: evil.example:{server.admin_port}",
                            "Host: localhost\r\nOrigin: https://evil.example",
                            f"Host: 127.0.0.1:{server.admin_port}\r\nOrigin: http://127.0.0.1:1",
                            f"Host: 127.0.0.1:{server.admin_port}\r\nOrigin: null"):
                with self.subTest(path=path, headers=headers):
                    request = f"GET {path} HTTP/1.1\r\n{headers}\r\n\r\n".encode()
                    self.assertEqual(harness.http(server.admin_port, request).status, 403)
        own = f"127.0.0.1:{server.admin_port}"
        request = f"GET /metrics HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\n\r\n".encode()
        self.assertEqual(harness.http(server.admin_port, request).status, 200)

    def test_a_crowd_that_does_not_read_is_bounded_and_does_not_shut_out_another(self):
        descriptors = pathlib.Path(f"/proc/{server.process.pid}/fd")
        before = len(list(descriptors.iterdir()))
        with contextlib.ExitStack() as stack:
            for _ in range(200):
                reader = stack.enter_context(socket.socket())
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                reader.connect(("127.0.0.1", server.admin_port))
                reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(server.admin("/healthz").status, 200)
            self.assertLessEqual(len(list(descriptors.iterdir())), before + 40)

    def test_the_metrics_satisfy_promtool(self):
        with websocket.Connection(server.port):
            text = server.admin("/metrics").text
        checked = subprocess.run([promtool(), "check", "metrics"], input=text, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual((checked.returncode, checked.stdout), (0, ""))

    def test_the_metrics_have_what_dashboards_are_built_on(self):
        for family in FAMILIES:
            with self.subTest(family):
                server.metric(family)
        text = server.admin("/metrics").text
        for histogram in ("tick_duration_seconds", "tick_lateness_seconds"):
            self.assertIn(f"# TYPE ringcast_room_{histogram} histogram", text)

    def test_sessions_and_members_are_counted_up_and_down(self):
        def members() -> int:
            return next(room["members"] for room in server.rooms()["rooms"]
                        if room["name"] == "arena")

        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(websocket.Connection(server.port))
            harness.until(lambda: server.metric("sessions") == 3, "three sessions")
            harness.until(lambda: members() == 3, "three members")
        harness.until(lambda: server.metric("sessions") == 0, "no session")
        harness.until(lambda: members() == 0, "no member")

    def test_a_close_is_counted_by_its_code(self):
        before = server.metric("sessions_closed_total", 'code="1002"')
        with websocket.Connection(server.port, "/rooms/echo") as connection:
            connection.send(websocket.frame(websocket.TEXT, b"x", masked=False))
            connection.receive_close()
        harness.until(lambda: server.metric("sessions_closed_total", 'code="1002"') == before + 1,
                      "the close is counted")

    def test_frames_sent_rise_while_somebody_listens(self):
        before = server.metric("frames_sent_total", 'class="latest"')
        with websocket.Connection(server.port) as connection:
            snapshots = 0
            while snapshots < 30:
                kind, message = websocket.server_message(connection.receive_opcode(websocket.BINARY).payload)
                if kind != "snapshot":
                    continue
                snapshots += 1
                # Who acknowledges nothing gets few of them at first.
                tick = websocket.field(1, websocket.tick_of(message))
                connection.send(websocket.frame(websocket.BINARY, tick))
        harness.until(lambda: server.metric("frames_sent_total", 'class="latest"') >= before + 20,
                      "the frames are counted")


class Page(unittest.TestCase):
    def test_the_page_is_served_at_the_root_and_head_has_no_body(self):
        page = harness.http(server.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(page.status, 200)
        self.assertIn("text/html", page.headers["content-type"])
        self.assertEqual(len(page.body), int(page.headers["content-length"]))
        head = harness.http(server.port, b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers, page.headers)

    def test_the_page_may_load_nothing_from_elsewhere_and_its_types_are_not_guessed(self):
        page = harness.http(server.port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn("default-src 'self';", page.headers["content-security-policy"])
        self.assertEqual(page.headers["x-content-type-options"], "nosniff")


class Listeners(unittest.TestCase):
    LISTENERS_MAX = 16

    def test_those_who_do_not_read_the_live_view_make_place_for_one_who_does(self):
        # Many rooms: a report is soon more than the kernel holds for one who does not read.
        rooms = [f"room{number}=arena,replicated=0,rate_hz=1" for number in range(100)]
        with harness.serving(rooms=rooms, name="listeners") as own, contextlib.ExitStack() as stack:
            for _ in range(self.LISTENERS_MAX):
                listener = stack.enter_context(socket.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                listener.connect(("127.0.0.1", own.admin_port))
                listener.sendall(b"GET /live/events HTTP/1.1\r\nHost: localhost\r\n\r\n")

            def let_in() -> bool:
                with harness.connect(own.admin_port) as another:
                    another.sendall(b"GET /live/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    return another.recv(12) == b"HTTP/1.1 200"

            harness.until(let_in, "another is let in", seconds=60)


if __name__ == "__main__":
    unittest.main()
