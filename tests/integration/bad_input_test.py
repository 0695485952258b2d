"""What a client may get wrong, or do on purpose: each mistake has its answer, and nobody else
notices. Raw sockets, so that every bit can be wrong."""

import contextlib
import email.utils
import socket
import struct
import threading
import time
import unittest

import harness
import websocket
from websocket import BINARY, CLOSE, CONTINUATION, PING, TEXT, close_payload, frame

CONFIG = """
origins_allowed = ["https://game.example", "http://*.games.example:8080"]

[session]
header_timeout_ms = 700
heartbeat_interval_ms = 500
heartbeat_timeout_ms = 500
close_timeout_ms = 1000
"""

server: harness.Server


def setUpModule():
    global server
    server = harness.Server(config=CONFIG, name="bad-input")


def tearDownModule():
    server.stop()


def upgrade(path: str = "/rooms/arena", **changed) -> harness.Response:
    return harness.http(server.port, websocket.upgrade_request(path, **changed))


class Requests(unittest.TestCase):
    def test_a_good_request_is_upgraded_with_the_digest_of_its_key(self):
        with websocket.Connection(server.port) as connection:
            headers = connection.response.headers
            self.assertEqual(headers["sec-websocket-accept"], websocket.ACCEPT)
            self.assertEqual(headers["upgrade"].lower(), "websocket")
            self.assertEqual(headers["sec-websocket-protocol"], "ringcast.v1")
            self.assertNotIn("sec-websocket-extensions", headers)

    def test_garbage_is_answered_400(self):
        self.assertEqual(harness.http(server.port, b"\x16\x03\x01 what?\r\n\r\n").status, 400)

    def test_a_bad_key_is_answered_400(self):
        for key in (None, "", "short", "not base64 at all!!!!!!="):
            with self.subTest(key=key):
                self.assertEqual(upgrade(Sec_WebSocket_Key=key).status, 400)

    def test_an_origin_outside_the_list_is_answered_403(self):
        for origin in ("https://elsewhere.example", "https://game.example.evil", "null", "what?",
                       "http://game.example", "https://game.example:8443",
                       "http://games.example:8080", "http://play.games.example"):
            with self.subTest(origin=origin):
                self.assertEqual(upgrade(Origin=origin).status, 403)

    def test_an_origin_in_the_list_is_welcome(self):
        for origin in ("https://game.example", "HTTPS://Game.Example:443",
                       "http://play.games.example:8080"):
            with self.subTest(origin=origin):
                websocket.Connection(server.port, Origin=origin).close()

    def test_an_unknown_room_is_answered_404(self):
        self.assertEqual(upgrade("/rooms/nowhere").status, 404)

    def test_an_unknown_page_is_answered_404(self):
        for path in ("/nothing.js", "/../etc/passwd", "/%2e%2e/etc/passwd"):
            with self.subTest(path=path):
                request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                self.assertEqual(harness.http(server.port, request).status, 404)

    def test_another_method_is_answered_405_with_what_is_allowed(self):
        for method, path in (("POST", "/rooms/arena"), ("PUT", "/"), ("OPTIONS", "*"),
                             ("CONNECT", "localhost:80")):
            with self.subTest(method=method):
                response = upgrade(path, method=method)
                self.assertEqual(response.status, 405)
                self.assertEqual(response.headers["allow"], "GET, HEAD")

    def test_a_method_that_nobody_knows_is_answered_501(self):
        for method in ("BREW", "get", "X" * 10_000):
            with self.subTest(method=method[:10]):
                self.assertEqual(upgrade(method=method).status, 501)

    def test_another_http_is_answered_505(self):
        self.assertEqual(harness.http(server.port, b"PRI * HTTP/2.0\r\n\r\n").status, 505)

    def test_a_target_over_the_limit_is_answered_414(self):
        self.assertEqual(upgrade("/rooms/arena?" + "x" * 10_000).status, 414)

    def test_a_host_that_is_none_is_answered_400(self):
        for host in (None, "", "a b", "user@localhost", "localhost:port", "http://localhost"):
            with self.subTest(host=host):
                self.assertEqual(upgrade(Host=host).status, 400)

    def test_a_room_is_never_found_behind_the_authority_of_a_url(self):
        for target, status in (("http://x?q=/rooms/echo", 200), ("http://?q=/rooms/echo", 400),
                               ("http:///rooms/echo", 400), ("http://x#/rooms/echo", 400),
                               ("/#/rooms/echo", 400), ("http://me@x/rooms/echo", 400)):
            with self.subTest(target=target):
                self.assertEqual(upgrade(target).status, status)

    def test_a_room_has_one_name_however_it_is_written(self):
        for target in ("/rooms/%65cho", "/r%6foms/ech%6F?q", "http://localhost/rooms/echo",
                       "ws://localhost:9000/rooms/echo", "WSS://[::1]/rooms/echo?q"):
            with self.subTest(target=target):
                websocket.Connection(server.port, target).close()
        for target in ("/rooms/ech%2fo", "/rooms/..", "/rooms/%2e%2E", "/rooms/.", "/rooms/echo%20"):
            with self.subTest(target=target):
                self.assertEqual(upgrade(target).status, 404)

    def test_every_answer_has_a_date(self):
        for answered in (upgrade("/"), upgrade("/nothing.js"), upgrade(method="POST"),
                         upgrade(method="BREW"), server.admin("/healthz")):
            with self.subTest(status=answered.status):
                date = email.utils.parsedate_to_datetime(answered.headers["date"])
                self.assertLess(abs(date.timestamp() - time.time()), harness.WAIT_SECONDS)

    def test_a_raw_room_names_no_subprotocol_whatever_is_offered(self):
        for offered in ("ringcast.v1", "chat", "chat, ringcast.v1"):
            with self.subTest(offered=offered):
                with websocket.Connection(server.port, "/rooms/echo",
                                          Sec_WebSocket_Protocol=offered) as connection:
                    self.assertNotIn("sec-websocket-protocol", connection.response.headers)

    def test_a_request_that_does_not_upgrade_is_answered_426(self):
        response = upgrade(Upgrade=None, Connection="close")
        self.assertEqual(response.status, 426)
        self.assertEqual(response.headers["upgrade"].lower(), "websocket")

    def test_another_version_is_answered_426_with_the_version_that_is_spoken(self):
        for version in ("8", "14", "x"):
            with self.subTest(version=version):
                response = upgrade(Sec_WebSocket_Version=version)
                self.assertEqual(response.status, 426)
                self.assertEqual(response.headers["sec-websocket-version"], "13")

    def test_a_refused_head_has_no_body(self):
        for path, status in (("/nothing.js", 404), ("/rooms/arena", 426), ("/rooms/a/b", 404),
                             ("/rooms/nowhere", 404), ("/" + "x" * 10_000, 414)):
            with self.subTest(path=path):
                request = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                response = harness.http(server.port, request)
                self.assertEqual((response.status, response.body), (status, b""))

    def test_a_head_over_the_limit_is_answered_431(self):
        self.assertEqual(upgrade(X_Padding="x" * 10_000).status, 431)

    def test_a_head_that_never_ends_is_cut_off_at_the_limit(self):
        request = websocket.upgrade_request()[:-2]
        endless = request + b"".join(b"X-%d: x\r\n" % number for number in range(5_000))
        self.assertEqual(harness.http(server.port, endless).status, 431)

    def test_a_head_that_comes_too_slowly_is_given_up(self):
        with harness.connect(server.port) as connection:
            connection.sendall(websocket.upgrade_request()[:20])
            self.assertEqual(harness.Response(harness.read_to_end(connection)).status, 408)

    def test_a_connection_that_says_nothing_is_given_up(self):
        with harness.connect(server.port) as connection:
            self.assertEqual(harness.Response(harness.read_to_end(connection)).status, 408)

    def test_half_a_handshake_and_a_reset_harm_nobody(self):
        for size in (1, 20, len(websocket.upgrade_request()) - 1):
            connection = harness.connect(server.port)
            connection.sendall(websocket.upgrade_request()[:size])
            # A reset instead of an orderly end.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        websocket.Connection(server.port).close()

    def test_a_request_in_single_bytes_is_upgraded(self):
        with harness.connect(server.port) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in websocket.upgrade_request("/rooms/echo"):
                connection.sendall(bytes([byte]))
            self.assertTrue(connection.recv(1024).startswith(b"HTTP/1.1 101 "))

    def test_frames_in_the_same_packet_as_the_request_are_not_lost(self):
        with harness.connect(server.port) as connection:
            connection.sendall(websocket.upgrade_request("/rooms/echo") + frame(TEXT, b"early"))
            received = b""
            while not received.endswith(frame(TEXT, b"early", masked=False)):
                chunk = connection.recv(1024)
                self.assertNotEqual(chunk, b"", f"ended after {received!r}")
                received += chunk


class Frames(unittest.TestCase):
    def assert_closed(self, code: int, *frames: bytes, path: str = "/rooms/echo"):
        """Sends the frames; the server must close with `code`, and then end the connection."""
        with websocket.Connection(server.port, path) as connection:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                connection.send(b"".join(frames))
            self.assertEqual(connection.receive_close().close_code, code)
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                connection.send(frame(CLOSE, close_payload(code)))
            self.assertTrue(connection.at_end())

    def test_an_unmasked_frame_is_closed_with_1002(self):
        self.assert_closed(1002, frame(TEXT, b"hello", masked=False))

    def test_reserved_bits_are_closed_with_1002(self):
        for reserved in (1, 2, 4, 7):
            with self.subTest(reserved=reserved):
                self.assert_closed(1002, frame(TEXT, b"hello", reserved=reserved))

    def test_reserved_opcodes_are_closed_with_1002(self):
        for opcode in (3, 7, 11, 15):
            with self.subTest(opcode=opcode):
                self.assert_closed(1002, frame(opcode))

    def test_a_control_frame_in_fragments_is_closed_with_1002(self):
        self.assert_closed(1002, frame(PING, b"half", final=False))

    def test_a_control_frame_over_125_bytes_is_closed_with_1002(self):
        self.assert_closed(1002, frame(PING, b"x" * 126))

    def test_a_continuation_of_nothing_is_closed_with_1002(self):
        self.assert_closed(1002, frame(CONTINUATION, b"of what?"))

    def test_a_new_message_inside_another_is_closed_with_1002(self):
        self.assert_closed(1002, frame(TEXT, b"first", final=False), frame(TEXT, b"second"))

    def test_text_that_is_not_utf_8_is_closed_with_1007(self):
        for text in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"):
            with self.subTest(text=text):
                self.assert_closed(1007, frame(TEXT, text))

    def test_text_that_goes_wrong_in_a_later_fragment_is_closed_with_1007(self):
        self.assert_closed(1007, frame(TEXT, b"\xe2\x82", final=False),
                           frame(CONTINUATION, b"\x41"))

    def test_a_frame_that_declares_too_much_is_closed_with_1009_before_it_came(self):
        self.assert_closed(1009, frame(BINARY, b"", declared=1 << 40))

    def test_fragments_that_add_up_to_too_much_are_closed_with_1009(self):
        self.assert_closed(1009, frame(BINARY, b"x" * 40_000, final=False),
                           frame(CONTINUATION, b"x" * 40_000))

    def test_a_close_frame_with_half_a_code_is_closed_with_1002(self):
        self.assert_closed(1002, frame(CLOSE, b"\x03"))

    def test_a_close_code_that_must_not_be_sent_is_closed_with_1002(self):
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000):
            with self.subTest(code=code):
                self.assert_closed(1002, frame(CLOSE, close_payload(code)))

    def test_a_close_reason_that_is_not_utf_8_is_closed_with_1007(self):
        self.assert_closed(1007, frame(CLOSE, close_payload(1000, b"\xff")))

    def test_an_empty_close_frame_is_answered(self):
        with websocket.Connection(server.port, "/rooms/echo") as connection:
            connection.send(frame(CLOSE))
            connection.receive_close()
            self.assertTrue(connection.at_end())

    def test_a_ping_between_fragments_is_answered_and_the_message_still_whole(self):
        with websocket.Connection(server.port, "/rooms/echo") as connection:
            connection.send(frame(TEXT, b"be", final=False) + frame(PING, b"?") +
                            frame(CONTINUATION, b"fore"))
            self.assertEqual(connection.receive_opcode(websocket.PONG).payload, b"?")
            self.assertEqual(connection.receive_opcode(TEXT).payload, b"before")

    def test_nothing_is_read_after_a_close_frame(self):
        with websocket.Connection(server.port, "/rooms/echo") as connection:
            connection.send(frame(CLOSE, close_payload(1000)) + frame(TEXT, b"too late"))
            self.assertEqual(connection.receive().opcode, CLOSE)
            self.assertTrue(connection.at_end())

    def test_a_malformed_envelope_is_closed_with_1007_and_a_reason(self):
        with websocket.Connection(server.port) as connection:
            connection.send(frame(BINARY, b"\x0a\xff\xff\xff\xff\xff"))
            closed = connection.receive_close()
            self.assertEqual(closed.close_code, 1007)
            self.assertGreater(len(closed.payload), 2)


class Behaviour(unittest.TestCase):
    def test_who_speaks_before_the_welcome_is_welcomed_first(self):
        ping = frame(BINARY, websocket.field(3, websocket.fixed64(1, 7)))
        with harness.serving(rooms=["slow=arena,replicated=0,rate_hz=1"], name="slow") as slow:
            with websocket.Connection(slow.port, "/rooms/slow") as connection:
                connection.send(ping * 10)
                kind, _ = websocket.server_message(connection.receive_opcode(BINARY).payload)
                self.assertEqual(kind, "welcome")

    def test_one_connection_too_many_is_answered_503_and_may_come_later(self):
        with harness.serving(config="[core]\nconnections_max = 2\n", name="full") as full:
            with websocket.Connection(full.port), websocket.Connection(full.port):
                refused = harness.http(full.port, websocket.upgrade_request())
                self.assertEqual(refused.status, 503)
                self.assertGreater(int(refused.headers["retry-after"]), 0)
                self.assertEqual(refused.headers["connection"], "close")
            def lets_in() -> bool:
                try:
                    websocket.Connection(full.port).close()
                except AssertionError:  # not upgraded
                    return False
                return True

            harness.until(lets_in, "there is room again")

    def test_a_full_table_of_direct_sockets_is_called_that(self):
        config = "[core]\nconnections_max = 1\ndirect_sockets = \"on\"\n"
        with harness.serving(config=config, name="table-full") as full:
            with contextlib.ExitStack() as stack:
                for _ in range(40):
                    stack.enter_context(harness.connect(full.port))
                harness.until(lambda: "the ring's table of direct sockets is full; raise "
                                      "core.connections_max" in full.log(), "the log says so")
            self.assertNotIn("Too many open files", full.log())

    def test_a_session_that_answers_no_ping_is_lost(self):
        lost = server.metric("heartbeat_timeouts_total")
        with websocket.Connection(server.port, "/rooms/echo") as connection:
            connection.receive_opcode(PING)
            harness.until(lambda: server.metric("heartbeat_timeouts_total") > lost,
                          "the silent session is counted as lost")

    def test_a_session_that_answers_pings_stays(self):
        with websocket.Connection(server.port, "/rooms/echo") as connection:
            for _ in range(3):
                ping = connection.receive_opcode(PING)
                connection.send(frame(websocket.PONG, ping.payload))
            connection.send(frame(TEXT, b"still here"))
            self.assertEqual(connection.receive_opcode(TEXT).payload, b"still here")

    def test_messages_over_the_limit_are_dropped_and_the_session_is_told(self):
        dropped = server.metric("inputs_rate_limited_total")
        with websocket.Connection(server.port) as connection:
            connection.receive_opcode(BINARY)  # the welcome: nobody is told anything before
            # The burst is 240; what comes after it comes faster than 120 a second.
            connection.send(frame(BINARY, websocket.arena_input(1, 0)) * 400)
            while websocket.server_message(connection.receive_opcode(BINARY).payload)[0] != "error":
                pass
        self.assertGreater(server.metric("inputs_rate_limited_total"), dropped)

    def test_a_flood_that_goes_on_is_closed_with_1008(self):
        with websocket.Connection(server.port) as connection:
            messages = frame(BINARY, websocket.arena_input(1, 0)) * 100

            def flood():
                # Ends at the latest when the connection is shut down below.
                with contextlib.suppress(OSError):
                    for _ in range(1_000):
                        connection.send(messages)

            flooder = threading.Thread(target=flood)
            flooder.start()
            try:
                self.assertEqual(connection.receive_close().close_code, 1008)
            finally:
                connection.socket.shutdown(socket.SHUT_RDWR)
                flooder.join()

    def test_what_is_said_right_before_the_goodbye_is_still_echoed(self):
        for _ in range(20):
            with websocket.Connection(server.port, "/rooms/echo") as connection:
                connection.send(frame(TEXT, b"last words") + frame(CLOSE, close_payload(1000)))
                echoed = connection.receive()
                self.assertEqual((echoed.opcode, echoed.payload), (TEXT, b"last words"))
                self.assertEqual(connection.receive_close().close_code, 1000)

    def test_who_ends_the_stream_behind_the_goodbye_still_gets_what_answers_it(self):
        for room in ("/rooms/echo", "/rooms/arena"):
            for _ in range(20):
                with self.subTest(room), websocket.Connection(server.port, room) as connection:
                    said = frame(TEXT, b"last words") if room == "/rooms/echo" else b""
                    connection.send(said + frame(CLOSE, close_payload(1000)))
                    connection.socket.shutdown(socket.SHUT_WR)
                    if said:
                        self.assertEqual(connection.receive().payload, b"last words")
                    self.assertEqual(connection.receive_close().close_code, 1000)
                    self.assertTrue(connection.at_end())

    def test_what_comes_after_a_violation_is_not_read_for_ever(self):
        with websocket.Connection(server.port) as connection:
            connection.send(frame(TEXT, b"no text here"))
            self.assertEqual(connection.receive_close().close_code, 1003)
            received = server.metric("received_bytes_total")
            # Far more than the buffers between us hold: without an end this takes all of it.
            with self.assertRaises(OSError):
                for _ in range(2_000):
                    connection.send(bytes(65_536))
            self.assertLess(server.metric("received_bytes_total") - received, 16 << 20)

    def test_a_client_that_does_not_read_does_not_hold_up_the_others(self):
        with contextlib.ExitStack() as stack:
            for _ in range(10):
                stack.enter_context(websocket.Connection(server.port, receive_buffer=4096))
            reader = stack.enter_context(websocket.Connection(server.port))
            ticks = []
            while len(ticks) < 120:
                received = reader.receive()
                if received.opcode == PING:
                    reader.send(frame(websocket.PONG, received.payload))
                elif received.opcode == BINARY:
                    kind, message = websocket.server_message(received.payload)
                    if kind == "snapshot":
                        ticks.append(websocket.tick_of(message))
                        reader.send(frame(BINARY, websocket.field(1, ticks[-1])))
            self.assertEqual(ticks, sorted(set(ticks)))

    def test_a_thousand_connections_that_vanish_leave_nothing_behind(self):
        def connections() -> float:
            return server.metric("connections")

        harness.until(lambda: connections() == 0, "the other tests' connections are gone")
        harness.descriptor_limit(2_000)
        with contextlib.ExitStack() as stack:
            for number in range(1_000):
                connection = stack.enter_context(harness.connect(server.port))
                connection.sendall(websocket.upgrade_request("/rooms/echo")[: 1 + number % 180])
        harness.until(lambda: connections() == 0, "every connection is gone")
        self.assertEqual(server.metric("sessions"), 0)


if __name__ == "__main__":
    unittest.main()
