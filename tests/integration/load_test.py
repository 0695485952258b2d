"""`ringcast load` measures a server and tells the truth about it, in JSON."""

import json
import re
import signal
import subprocess
import unittest

import harness

server: harness.Server


def setUpModule():
    global server
    server = harness.Server(name="load")


def tearDownModule():
    server.stop()


def load(*arguments: str, room: str = "arena") -> dict:
    ended = harness.run("load", "--url", f"{server.url}/rooms/{room}", "--json", *arguments,
                        seconds=60)
    if ended.returncode != 0:
        raise AssertionError(f"load ended with {ended.returncode}: {ended.stderr}")
    if not ended.stderr:
        raise AssertionError("load showed no progress")
    return json.loads(ended.stdout)


def measuring(url: str, *arguments: str) -> subprocess.Popen:
    """A load whose window has begun."""
    running = subprocess.Popen([harness.BINARY, "load", "--json", "--url", f"{url}/rooms/arena",
                                *arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while (line := running.stderr.readline()) != "window begin\n":
        if not line:
            raise AssertionError("the load ended before its window")
    return running


class Load(unittest.TestCase):
    def assert_quantiles_rise(self, quantiles: dict, *names: str) -> None:
        values = [quantiles[name] for name in names]
        self.assertEqual(values, sorted(values))
        self.assertGreater(values[-1], 0)

    def test_every_frame_is_verified_and_every_tick_accounted_for(self):
        clients = 20 if harness.QUICK else 100
        report = load("--clients", str(clients), "--seconds", "3", "--inputs-per-s", "2")
        self.assertEqual(report["clients"], clients)
        self.assertEqual(report["verify_failed"], 0)
        self.assertGreater(report["verified"], 0)
        self.assertGreater(report["frames"], clients * 60)
        self.assertGreater(report["frames_per_s"], 0)
        self.assertEqual(sum(report["closed"].values()), 0)
        self.assertEqual(report["delivered"] + report["ticks_missed"], report["ticks"] * clients)
        self.assert_quantiles_rise(report["age_us"], "p50", "p99", "p999", "max")
        self.assert_quantiles_rise(report["join_ms"], "p50", "p99", "max")

    def test_two_loads_from_addresses_of_their_own_have_seen_the_same_ticks(self):
        with measuring(server.url, "--clients", "10", "--seconds", "5", "--list-ticks",
                       "--from", "127.0.0.2-127.0.0.3") as first:
            second = load("--clients", "10", "--seconds", "1", "--list-ticks", "--from", "127.0.1.0/29")
            listed = [{entry["tick"]: entry for entry in report["ticks_seen"]}
                      for report in (json.loads(first.stdout.read()), second)]
        common = listed[0].keys() & listed[1].keys()
        self.assertGreater(len(common), 10)
        for tick in common:
            digests = {ticks[tick]["digest"] for ticks in listed}
            self.assertEqual(len(digests), 1, tick)
            self.assertEqual([ticks[tick]["differing"] for ticks in listed], [0, 0])

    def test_slow_clients_have_ages_of_their_own(self):
        report = load("--clients", "20", "--seconds", "3", "--slow", "5", "--slow-bytes-per-s",
                      "20000", "--slow-rcvbuf", "4096")
        self.assertEqual(report["verify_failed"], 0)
        self.assert_quantiles_rise(report["age_us"], "p50", "p99", "p999", "max")
        self.assert_quantiles_rise(report["slow_age_us"], "p50", "p99", "p999", "max")

    def test_a_server_that_dies_in_the_middle_is_told(self):
        dying = harness.Server(name="dying")
        self.addCleanup(dying.kill)
        with measuring(dying.url, "--clients", "10", "--seconds", "3") as running:
            dying.process.kill()
            report = json.loads(running.stdout.read())
        self.assertEqual(report["closed"], {"1006": 10})
        self.assertLess(report["delivered_ratio"], 0.9)
        self.assertNotEqual(running.returncode, 0)

    def test_ctrl_c_ends_the_window_and_what_was_measured_is_reported(self):
        with measuring(server.url, "--clients", "5", "--seconds", "3600") as running:
            # Something is measured before it ends: "1 of 3600 s: ...".
            while not re.match("[1-9][0-9]* of 3600 s: ", line := running.stderr.readline()):
                self.assertTrue(line, "the load goes on")
            running.send_signal(signal.SIGINT)
            report = json.loads(running.stdout.read())
        self.assertEqual(running.returncode, 0)
        self.assertGreater(report["seconds"], 0)
        self.assertGreater(report["delivered"], 0)
        self.assertEqual(report["closed"], {})

    def test_inputs_that_the_server_drops_are_told(self):
        report = load("--clients", "1", "--seconds", "2", "--inputs-per-s", "400")
        self.assertGreater(report["server_errors"], 0)
        self.assertNotEqual(report["server_error"], "")

    def test_a_server_that_is_not_there_is_one_clear_line(self):
        port = harness.free_port()
        ended = harness.run("load", "--url", f"ws://127.0.0.1:{port}/rooms/arena", "--clients", "1",
                            "--seconds", "1")
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("refused", ended.stderr.lower())

    def test_a_room_that_is_not_there_is_told_with_its_status(self):
        ended = harness.run("load", "--url", f"{server.url}/rooms/nowhere", "--clients", "1",
                            "--seconds", "1")
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("404", ended.stderr)


if __name__ == "__main__":
    unittest.main()
