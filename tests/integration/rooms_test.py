"""Rooms come and go by the admin endpoint, on one core and on several, with everybody told."""

import json
import os
import unittest

import harness
import websocket

CORES = min(2, len(os.sched_getaffinity(0)))


def request(server: harness.Server, method: str, path: str, body: str | None = None,
            **headers: str) -> harness.Response:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
        if "Content_Type" not in headers:
            lines.append("Content-Type: application/json")
    return harness.http(server.admin_port, ("\r\n".join(lines) + "\r\n\r\n" + (body or "")).encode())


def post(server: harness.Server, **settings) -> harness.Response:
    return request(server, "POST", "/rooms", json.dumps(settings))


server: harness.Server


def setUpModule():
    global server
    server = harness.Server("--cores", str(CORES), rooms=("arena=arena,replicated=0", "echo=echo"),
                            name="rooms")


def tearDownModule():
    server.stop()


class Rooms(unittest.TestCase):
    def test_a_room_is_opened_joined_closed_and_opened_again(self):
        for spread in ("none", "all"):
            with self.subTest(spread=spread):
                opened = post(server, name="lobby", simulation="arena", rate_hz=20, spread=spread,
                              parameters={"replicated": 0, "bots": 3})
                self.assertEqual((opened.status, opened.headers["location"]),
                                 (201, "/rooms/lobby"), opened.text)
                room = json.loads(opened.text)
                self.assertEqual((room["name"], room["rate_hz"], room["spread"]),
                                 ("lobby", 20, spread == "all"))
                connections = [websocket.Connection(server.port, "/rooms/lobby") for _ in range(8)]
                for connection in connections:
                    connection.receive_opcode(websocket.BINARY)
                harness.until(lambda: json.loads(server.admin("/rooms/lobby").text)["members"] == 8,
                              "eight members")
                closed = request(server, "DELETE", "/rooms/l%6Fbby")
                self.assertEqual((closed.status, closed.text), (204, ""))
                for connection in connections:
                    goodbye = connection.receive_close()
                    self.assertEqual(goodbye.close_code, 1000)
                    self.assertEqual(goodbye.payload[2:], b"the room is closed")
                    connection.close()
                self.assertEqual(server.admin("/rooms/lobby").status, 404)
                for what in ("opened", "closed"):
                    self.assertRegex(server.log(), f"info room {what} room=lobby simulation=arena core=")
                refused = harness.http(server.port, websocket.upgrade_request("/rooms/lobby"))
                self.assertEqual((refused.status, refused.text), (404, "There is no such room.\n"))

    def test_the_last_event_of_a_closed_arena_says_that_the_session_ended(self):
        post(server, name="short", simulation="arena", rate_hz=20, parameters={"replicated": 0, "bots": 0})
        with websocket.Connection(server.port, "/rooms/short") as connection:
            connection.receive_opcode(websocket.BINARY)
            harness.until(lambda: json.loads(server.admin("/rooms/short").text)["members"] == 1,
                          "a member")
            request(server, "DELETE", "/rooms/short")
            last = b""
            while (received := connection.receive()).opcode == websocket.BINARY:
                last = received.payload
            self.assertEqual(received.close_code, 1000)
            event = websocket.fields(websocket.fields(last)[EVENT][0])
            arena_event = websocket.fields(event[PAYLOAD][0])
            self.assertIn(SESSION_ENDED, arena_event)

    def test_a_configured_room_can_be_closed_too(self):
        with harness.serving(rooms=("arena=arena,replicated=0", "other=arena,replicated=0"), name="rooms-one") as own:
            self.assertEqual(request(own, "DELETE", "/rooms/other").status, 204)
            self.assertEqual([room["name"] for room in own.rooms()["rooms"]], ["arena"])
            self.assertEqual(post(own, name="other", simulation="arena").status, 201)

    def test_mistakes_are_answered_in_one_sentence(self):
        cases = [
            ("not json", 400, "The body is not a JSON object, such as "
                              '{"name":"lobby","simulation":"arena"}.'),
            ("[1]", 400, "The body is not a JSON object, such as "
                         '{"name":"lobby","simulation":"arena"}.'),
            ("{}", 400, "a room needs a name."),
            ('{"name":"a","name":"b","simulation":"arena"}', 400, "name is given twice."),
            ('{"name":"a b","simulation":"arena"}', 400,
             "\"a b\" is not a room's name: letters, digits, '.', '_' and '-', at most 64, and not "
             "\".\" or \"..\"."),
            ('{"name":"..","simulation":"arena"}', 400, None),
            ('{"name":".","simulation":"arena"}', 400, None),
            ('{"name":"a","simulation":"chess"}', 400,
             'there is no simulation "chess", only arena, echo.'),
            ('{"name":"a","simulation":"arena","rate_hz":0}', 400,
             "rate_hz must be 1 to 240, not 0."),
            ('{"name":"a","simulation":"arena","colour":"red"}', 400, None),
            ('{"name":"a","simulation":"arena","seed":null}', 400, "seed is null; leave it out."),
            ('{"name":"a","simulation":"arena","core":200}', 400,
             f"core must be 0 to {CORES - 1} or auto, not 200."),
            ('{"name":"a","simulation":"echo","spread":"all"}', 400, None),
            ('{"name":"arena","simulation":"arena"}', 409, "There is a room arena already."),
            ('{"name":"' + "x" * 9000 + '"}', 413, "The request's body is larger than 8192 bytes."),
        ]
        for body, status, sentence in cases:
            with self.subTest(body[:60]):
                answered = request(server, "POST", "/rooms", body)
                self.assertEqual(answered.status, status, answered.text)
                self.assertEqual(answered.text.count("\n"), 1)
                self.assertTrue(answered.text.endswith(".\n"), answered.text)
                if sentence is not None:
                    self.assertEqual(answered.text, sentence + "\n")
        self.assertEqual(request(server, "DELETE", "/rooms/nowhere").status, 404)
        self.assertEqual(request(server, "DELETE", "/rooms/aren%2561").status, 404)
        refused = request(server, "PUT", "/rooms/arena", "")
        self.assertEqual((refused.status, refused.headers["allow"]), (405, "GET, HEAD, DELETE"))

    def test_a_body_is_json_and_says_so(self):
        for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
            with self.subTest(content_type):
                refused = request(server, "POST", "/rooms", '{"name":"a","simulation":"arena"}',
                                  Content_Type=content_type)
                self.assertEqual((refused.status, refused.text),
                                 (415, "A body must be of Content-Type: application/json.\n"))

    def test_a_page_of_another_site_opens_and_closes_nothing(self):
        body = '{"name":"a","simulation":"arena","inbox_bytes_max":1073741824}'
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"},
                        {"Origin": "http://localhost:3000"}):
            with self.subTest(headers):
                self.assertEqual(request(server, "POST", "/rooms", body, **headers).status, 403)
                self.assertEqual(request(server, "DELETE", "/rooms/arena", **headers).status, 403)
        foreign = harness.http(server.admin_port, b"DELETE /rooms/arena HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        self.assertEqual(foreign.status, 403)
        self.assertEqual(server.admin("/rooms/arena").status, 200)

    def test_all_rooms_inboxes_together_have_a_bound(self):
        with harness.serving(config="rooms_inbox_bytes_max = 4000000\n", rooms=("arena=arena,replicated=0",),
                             name="rooms-inboxes") as own:
            self.assertEqual(post(own, name="a", simulation="arena").status, 201)
            refused = post(own, name="b", simulation="arena", inbox_bytes_max=1 << 30)
            self.assertEqual(refused.status, 409)
            self.assertRegex(refused.text, r"^the inboxes of all rooms would take \d{10} bytes, and "
                                           r"rooms_inbox_bytes_max is 4000000; lower .*, or raise that\.\n$")
            self.assertEqual(post(own, name="b", simulation="arena").status, 201)

    def test_the_public_address_changes_no_rooms(self):
        for method, path in (("POST", "/rooms"), ("DELETE", "/rooms/arena")):
            answered = harness.http(server.port, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
                                                 "Content-Length: 0\r\n\r\n".encode())
            self.assertEqual(answered.status, 405)
        self.assertEqual(server.admin("/rooms/arena").status, 200)

    def test_no_more_rooms_than_rooms_max(self):
        with harness.serving(config="rooms_max = 2\n", rooms=("arena=arena,replicated=0",),
                             name="rooms-max") as own:
            self.assertEqual(post(own, name="b", simulation="arena").status, 201)
            refused = post(own, name="c", simulation="arena")
            self.assertEqual((refused.status, refused.text),
                             (409, "There are 2 rooms already; close one, or raise rooms_max.\n"))

    def test_a_plain_request_for_a_room_is_told_whether_there_is_one(self):
        plain = "GET /rooms/{} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self.assertEqual(harness.http(server.port, plain.format("nowhere").encode()).status, 404)
        # Each of several connections may be answered by another core, and only one is home to the room.
        for _ in range(8):
            for room, spoken in (("arena", "ringcast.v1"), ("echo", "none")):
                answer = harness.http(server.port, plain.format(room).encode())
                self.assertEqual((answer.status, answer.headers["ringcast-subprotocol"]), (426, spoken))


# Field numbers of ServerEnvelope, Event and ArenaEvent (proto/).
EVENT, PAYLOAD, SESSION_ENDED = 3, 15, 3


if __name__ == "__main__":
    unittest.main()
