"""Several cores: one server, connections that land anywhere, rooms that live somewhere."""

import json
import os
import socket
import struct
import unittest

import harness
import websocket

CPUS = sorted(os.sched_getaffinity(0))

server: harness.Server


def setUpModule():
    if len(CPUS) < 2:
        raise unittest.SkipTest("this machine has one CPU")
    global server
    server = harness.Server("--cores", "2", name="cores",
                            rooms=("arena=arena,replicated=0,core=0", "far=arena,replicated=0,core=1", "echo=echo,core=1",
                                   "giant=arena,replicated=0,spread=all"))


def tearDownModule():
    if len(CPUS) >= 2:
        server.stop()


def load(room: str, clients: int, seconds: int = 2) -> dict:
    run = harness.run("load", "--url", f"{server.url}/rooms/{room}", "--clients", str(clients),
                      "--seconds", str(seconds), "--inputs-per-s", "5", "--json",
                      seconds=harness.WAIT_SECONDS + seconds)
    if run.returncode != 0:
        raise AssertionError(run.stderr)
    return json.loads(run.stdout)


class Cores(unittest.TestCase):
    def test_both_cores_accept_and_each_room_is_at_its_home(self):
        homes = {room["name"]: room["core"] for room in server.rooms()["rooms"]}
        self.assertEqual((homes["arena"], homes["far"]), (0, 1))
        report = load("far", 60)
        self.assertEqual((report["joined"], report["verify_failed"]), (60, 0), report)
        for core in "01":
            self.assertGreater(server.metric("connections_accepted_total", f'core="{core}"'), 0)
        self.assertGreater(server.metric("connections_moved_total", 'core="0"'), 0)
        self.assertEqual(server.metric("upgrades_total", 'core="0"'), 0)

    def test_members_of_a_spread_room_stay_where_they_land_and_see_every_tick(self):
        moved = server.metric("connections_moved_total")
        report = load("giant", 100)
        self.assertEqual((report["joined"], report["verify_failed"]), (100, 0), report)
        self.assertGreater(report["delivered_ratio"], 0.9)
        self.assertEqual(server.metric("connections_moved_total"), moved)

    def test_members_of_a_spread_room_are_on_both_cores_and_hear_each_other(self):
        connections = [websocket.Connection(server.port, "/rooms/giant") for _ in range(40)]
        try:
            harness.until(lambda: all(server.metric("sessions", f'core="{core}"') > 0
                                      for core in "01"), "sessions on both cores")
            room = harness.until(lambda: (found := json.loads(server.admin("/rooms/giant").text))
                                 ["members"] == 40 and found, "forty members")
            self.assertTrue(room["spread"])
            ids = {websocket.fields(websocket.fields(connection.receive().payload)[1][0])[2][0]
                   for connection in connections}
            self.assertEqual(len(ids), 40)  # no core gave out another's member id
        finally:
            for connection in connections:
                connection.close()
        harness.until(lambda: json.loads(server.admin("/rooms/giant").text)["members"] == 0,
                      "nobody")

    def test_what_came_right_behind_the_request_moves_with_the_connection(self):
        request = websocket.upgrade_request("/rooms/echo", Sec_WebSocket_Protocol=None)
        moved = server.metric("connections_moved_total", 'core="0"')
        for number in range(30):
            with harness.connect(server.port) as connection:
                text = f"early {number}".encode()
                connection.sendall(request + websocket.frame(websocket.TEXT, text))
                received = b""
                while not received.endswith(text):
                    chunk = connection.recv(4096)
                    self.assertTrue(chunk, received)
                    received += chunk
                self.assertTrue(received.startswith(b"HTTP/1.1 101 "))
        self.assertGreater(server.metric("connections_moved_total", 'core="0"'), moved)

    def test_connections_that_die_while_they_move_leave_nothing_behind(self):
        request = websocket.upgrade_request("/rooms/echo", Sec_WebSocket_Protocol=None)
        for number in range(200):
            connection = harness.connect(server.port)
            connection.sendall(request)
            if number % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        harness.until(lambda: server.metric("connections") == 0, "no connection is left")

    def test_direct_sockets_serve_like_descriptors_and_take_none(self):
        config = "[core]\ndirect_sockets = \"on\"\n"
        with harness.serving("--cores", "2", rooms=("far=arena,replicated=0,core=1", "giant=arena,replicated=0,spread=all"),
                             config=config, name="cores-direct") as own:
            descriptors = f"/proc/{own.process.pid}/fd"
            before = len(os.listdir(descriptors))
            for room in ("far", "giant"):
                connections = [websocket.Connection(own.port, f"/rooms/{room}") for _ in range(40)]
                for connection in connections:
                    connection.receive_opcode(websocket.BINARY)
                self.assertLess(len(os.listdir(descriptors)), before + 20)
                for connection in connections:
                    connection.send(websocket.frame(websocket.CLOSE, websocket.close_payload(1000)))
                    self.assertEqual(connection.receive_close().close_code, 1000)
                    self.assertTrue(connection.at_end())
                    connection.close()
            harness.until(lambda: own.metric("connections") == 0, "no connection is left")
            self.assertGreater(own.metric("connections_moved_total"), 0)

    def test_more_cores_than_cpus_are_refused_in_a_sentence(self):
        run = harness.run("serve", "--cores", "1000", "--check-config")
        self.assertEqual(run.returncode, 2)
        self.assertEqual(run.stderr, f'--cores: cores "1000" is more cores than this process may '
                                     f'use, {len(CPUS)}; lower it or write all\n')

    def test_a_room_on_a_core_that_is_not_there_is_refused(self):
        run = harness.run("serve", "--cores", "2", "--room", "a=arena,replicated=0,core=2", "--check-config")
        self.assertEqual(run.returncode, 2)
        self.assertIn('room "a" is at home on core 2, but there are only cores 0 to 1', run.stderr)

    def test_an_address_in_use_is_not_shared_with_another_server(self):
        run = harness.run("serve", "--cores", "2", "--listen", f"127.0.0.1:{server.port}",
                          "--admin", "off")
        self.assertEqual(run.returncode, 2)
        self.assertIn("is in use", run.stderr)

    def test_one_listener_that_was_handed_in_serves_both_cores(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            with harness.serving("--cores", "2", rooms=("giant=arena,replicated=0,spread=all",),
                                 listener=listener, name="cores-handed-in") as own:
                for _ in range(20):
                    with websocket.Connection(own.port, "/rooms/giant") as connection:
                        connection.receive_opcode(websocket.BINARY)
                self.assertEqual(own.metric("connections_accepted_total"), 20)


if __name__ == "__main__":
    unittest.main()
