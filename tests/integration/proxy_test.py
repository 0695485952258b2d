"""Who a connection is from: a PROXY header of those who may send one, and limits for each address.
Loopback has many addresses: 127.0.0.2 is the proxy."""

import contextlib
import os
import socket
import struct
import unittest

import harness
import websocket
from websocket import TEXT, frame

PROXY = "127.0.0.2"
CONFIG = f"""
proxy_from = ["{PROXY}", "10.0.0.0/8"]

[session]
header_timeout_ms = 700
close_timeout_ms = 60000

[address]
connections_max = 2
"""

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL, PROXIED = 0x20, 0x21
UNSPECIFIED, IPV4, IPV6 = 0x00, 0x11, 0x21
AUTHORITY = b"\x02" + struct.pack("!H", 12) + b"play.example"

server: harness.Server


def header(client: str | None = None, tlvs: bytes = b"", command: int = PROXIED,
           family: int | None = None, addresses: bytes | None = None) -> bytes:
    """What a proxy says of `client`; the rest is for what it should not say."""
    kind, of_client = UNSPECIFIED, b""
    if client is not None:
        version = socket.AF_INET6 if ":" in client else socket.AF_INET
        kind = IPV6 if ":" in client else IPV4
        to = "::1" if ":" in client else "127.0.0.1"
        of_client = socket.inet_pton(version, client) + socket.inet_pton(version, to) + \
            struct.pack("!HH", 4660, 443)
    behind = (of_client if addresses is None else addresses) + tlvs
    return SIGNATURE + struct.pack("!BBH", command, kind if family is None else family,
                                   len(behind)) + behind


def exchange(port: int, request: bytes, source: str = "127.0.0.1") -> bytes:
    """All that comes back from `request`."""
    with socket.create_connection(("127.0.0.1", port), harness.WAIT_SECONDS, (source, 0)) as peer:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            peer.sendall(request)
        return harness.read_to_end(peer)


def proxied(client: str | None, path: str = "/rooms/echo", **more) -> websocket.Connection:
    return websocket.Connection(server.port, path, source=PROXY, ahead=header(client, **more))


def refusal(port: int, ahead: bytes = b"", source: str = "127.0.0.1") -> harness.Response:
    return harness.Response(exchange(port, ahead + websocket.upgrade_request(), source))


def opens(connect) -> bool:
    try:
        connect().close()
    except (AssertionError, ConnectionError):
        return False
    return True


def setUpModule():
    global server
    server = harness.Server(config=CONFIG, name="proxy")


def tearDownModule():
    server.stop()


class Headers(unittest.TestCase):
    def test_who_comes_through_the_proxy_is_served_whatever_the_header_says_of_them(self):
        for client in ("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.2", None):
            for tlvs in (b"", AUTHORITY, bytes(3_000)):
                with self.subTest(client=client, tlvs=len(tlvs)):
                    def come_and_go(client=client, tlvs=tlvs):
                        connection = proxied(client, tlvs=tlvs)
                        connection.send(frame(TEXT, b"hello"))
                        self.assertEqual(connection.receive_opcode(TEXT).payload, b"hello")
                        return connection
                    # Those before may not be gone yet.
                    harness.until(lambda: opens(come_and_go), "there is room for one more")

    def test_a_local_connection_of_the_proxy_is_served(self):
        for family, addresses in ((UNSPECIFIED, b""), (IPV4, b""), (0xFF, b"anything")):
            ahead = header(command=LOCAL, family=family, addresses=addresses)
            answer = exchange(server.port, ahead + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", PROXY)
            self.assertEqual(harness.Response(answer).status, 404)

    def test_a_header_in_single_bytes_and_frames_in_its_packet_are_read(self):
        with socket.create_connection(("127.0.0.1", server.port), harness.WAIT_SECONDS,
                                      (PROXY, 0)) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            whole = header("192.0.2.3", AUTHORITY)
            for byte in whole[:-1]:
                peer.sendall(bytes([byte]))
            peer.sendall(whole[-1:] + websocket.upgrade_request("/rooms/echo") +
                         frame(TEXT, b"early"))
            received = b""
            while not received.endswith(frame(TEXT, b"early", masked=False)):
                chunk = peer.recv(1024)
                self.assertNotEqual(chunk, b"", f"ended after {received!r}")
                received += chunk

    def test_what_is_no_header_is_closed_without_an_answer_and_counted(self):
        bad = {
            "there is none": websocket.upgrade_request(),
            "it is version 1, and must be 2": b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n",
            "its version is not 2": header("192.0.2.1", command=0x31),
            "its command is unknown": header("192.0.2.1", command=0x22),
            "it is not about TCP over IPv4 or IPv6": header("192.0.2.1", family=0x31),
            "its addresses are cut off": header(family=IPV6, addresses=bytes(35)),
            "it is too long": header("192.0.2.1", tlvs=bytes(5_000)),
        }
        before = server.metric("proxy_headers_malformed_total")
        for why, ahead in bad.items():
            with self.subTest(why):
                request = ahead + websocket.upgrade_request()
                self.assertEqual(exchange(server.port, request, PROXY), b"")
        self.assertEqual(server.metric("proxy_headers_malformed_total"), before + len(bad))
        for why in bad:
            line = f'PROXY header refused core=0 proxy={PROXY} reason="{why}"'
            harness.until(lambda line=line: line in server.log(), f"the log says {line}")

    def test_a_header_that_does_not_come_is_given_up(self):
        for ahead in (b"", SIGNATURE, header("192.0.2.1", AUTHORITY)[:-1]):
            with self.subTest(size=len(ahead)):
                self.assertEqual(harness.Response(exchange(server.port, ahead, PROXY)).status, 408)

    def test_others_are_taken_as_they_are_and_their_header_is_a_bad_request(self):
        websocket.Connection(server.port, source="127.0.0.3").close()
        for ahead in (header("192.0.2.1"), header(command=LOCAL), header("2001:db8::1", AUTHORITY)):
            self.assertEqual(refusal(server.port, ahead, "127.0.0.4").status, 400)

    def test_a_listener_of_both_families_knows_the_proxy_and_counts_its_clients(self):
        listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        with listener, harness.serving(config=CONFIG, listener=listener, name="both") as both:
            ahead = header("192.0.2.1")
            with websocket.Connection(both.port, source=PROXY, ahead=ahead), \
                    websocket.Connection(both.port, source=PROXY, ahead=header("::ffff:192.0.2.1")):
                self.assertEqual(refusal(both.port, ahead, PROXY).status, 429)
            with websocket.Connection(both.port, source="127.0.0.3"), \
                    websocket.Connection(both.port, source="127.0.0.3"):
                self.assertEqual(refusal(both.port, source="127.0.0.3").status, 429)


class Limits(unittest.TestCase):
    def assert_two_at_most(self, connect, same, ahead: bytes, source: str):
        limited = server.metric("connections_limited_total", 'limit="connections_max"')
        with connect(), same():
            refused = refusal(server.port, ahead, source)
            self.assertEqual(refused.status, 429)
            self.assertGreater(int(refused.headers["retry-after"]), 0)
            self.assertEqual(refused.headers["connection"], "close")
        self.assertEqual(server.metric("connections_limited_total", 'limit="connections_max"'),
                         limited + 1)
        harness.until(lambda: opens(connect), "there is room again")

    def test_a_client_behind_the_proxy_has_two_connections_and_not_three(self):
        def connect():
            return proxied("198.51.100.1")
        self.assert_two_at_most(connect, connect, header("198.51.100.1"), PROXY)
        harness.until(lambda: "connection refused: its address is over a limit core=0 "
                              "address=198.51.100.1 limit=address.connections_max" in server.log(),
                      "the log says whose it was")

    def test_a_client_of_ipv6_is_its_first_64_bits(self):
        self.assert_two_at_most(lambda: proxied("2001:db8:0:7::1"),
                                lambda: proxied("2001:db8:0:7:ffff::2"),
                                header("2001:db8:0:7::3"), PROXY)
        with proxied("2001:db8:0:8::1"), proxied("2001:db8:0:8::2"), proxied("2001:db8:0:9::1"):
            pass

    def test_a_client_that_comes_by_itself_is_limited_as_well(self):
        def connect():
            return websocket.Connection(server.port, source="127.0.0.5")
        self.assert_two_at_most(connect, connect, b"", "127.0.0.5")

    def test_connections_that_are_not_upgraded_count_as_well(self):
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                peer = stack.enter_context(socket.create_connection(
                    ("127.0.0.1", server.port), harness.WAIT_SECONDS, ("127.0.0.6", 0)))
                peer.sendall(b"GET / HTTP/1.1\r\n")
            self.assertEqual(refusal(server.port, source="127.0.0.6").status, 429)

    def test_the_proxy_itself_is_not_limited(self):
        with contextlib.ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(proxied(None))
                stack.enter_context(proxied(None, command=LOCAL))

    def test_who_keeps_coming_over_the_limit_holds_a_few_places_only(self):
        with proxied("198.51.100.9"), proxied("198.51.100.9"), contextlib.ExitStack() as stack:
            answered = 0
            for _ in range(20):
                peer = stack.enter_context(socket.create_connection(
                    ("127.0.0.1", server.port), harness.WAIT_SECONDS, (PROXY, 0)))
                peer.sendall(header("198.51.100.9") + websocket.upgrade_request())
                # Read to its end, and left open.
                answered += harness.read_to_end(peer).startswith(b"HTTP/1.1 429 ")
            self.assertEqual(answered, 4)

    def test_connections_that_come_too_fast_are_answered_429(self):
        config = "[address]\nconnections_per_s = 1\nconnections_burst = 3\n"
        with harness.serving(config=config, name="too-fast") as slow:
            statuses = []
            for _ in range(8):
                statuses.append(refusal(slow.port, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
                                .status)
            self.assertEqual(statuses[:3], [404] * 3)
            self.assertIn(429, statuses)
            self.assertGreater(slow.metric("connections_limited_total",
                                           'limit="connections_per_s"'), 0)
            self.assertEqual(slow.metric("connections_limited_total", 'limit="connections_max"'), 0)
            # Another address is another bucket.
            websocket.Connection(slow.port, source="127.0.0.3").close()

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "this machine has one CPU")
    def test_an_address_is_counted_over_all_cores_and_wherever_it_moves(self):
        config = "[address]\nconnections_max = 10\n"
        rooms = ("here=echo,core=0", "there=echo,core=1")
        with harness.serving("--cores", "2", config=config, rooms=rooms, name="cores") as cores:
            with contextlib.ExitStack() as stack:
                for number in range(10):
                    room = ("here", "there")[number % 2]
                    stack.enter_context(websocket.Connection(cores.port, f"/rooms/{room}"))
                for _ in range(4):
                    self.assertEqual(refusal(cores.port).status, 429)
                with websocket.Connection(cores.port, "/rooms/here", source="127.0.0.3"):
                    pass

            def ten_more() -> bool:
                with contextlib.ExitStack() as stack:
                    try:
                        for _ in range(10):
                            stack.enter_context(websocket.Connection(cores.port, "/rooms/there"))
                    except (AssertionError, ConnectionError):
                        return False
                return True

            harness.until(ten_more, "there is room for ten again")


if __name__ == "__main__":
    unittest.main()
