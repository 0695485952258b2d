"""Replicated rooms of a real server: each client decodes every frame and checks its digest."""

import json
import os
import unittest

import harness

CPUS = sorted(os.sched_getaffinity(0))
SPACE = "width=6400,height=3600"

server: harness.Server


def setUpModule():
    global server
    cores = "2" if len(CPUS) > 1 else "1"
    # A sanitizer's first ticks take seconds: no room is to rest for it.
    server = harness.Server("--cores", cores, name="replicated",
                            config="[core]\noverrunning_room_percent = 100\n",
                            rooms=(f"arena=arena,replicated=1,bots=400,{SPACE}",
                                   f"plain=arena,replicated=0,bots=400,{SPACE}",
                                   f"giant=arena,replicated=1,bots=400,spread=all,{SPACE}",
                                   f"paired=arena,replicated=1,bots=400,spread=all,send_every_ticks=2,{SPACE}"))


def tearDownModule():
    server.stop()


def load(room: str, *arguments: str, clients: int = 30, seconds: int = 3) -> dict:
    run = harness.run("load", "--url", f"{server.url}/rooms/{room}", "--clients", str(clients),
                      "--seconds", str(seconds), "--inputs-per-s", "2", "--json", *arguments,
                      seconds=harness.WAIT_SECONDS + seconds)
    if run.returncode != 0:
        raise AssertionError(run.stderr)
    return json.loads(run.stdout)


class Replicated(unittest.TestCase):
    def assert_right(self, report: dict) -> None:
        self.assertEqual((report["verify_failed"], report["verify_error"]), (0, ""), report)
        self.assertEqual(report["replicated"]["desyncs"], 0, report)
        self.assertEqual(report["replicated"]["frames"], report["frames"], report)

    def test_each_client_gets_what_it_sees_in_far_fewer_bytes(self):
        report = load("arena")
        self.assert_right(report)
        self.assertEqual(report["joined"], 30)
        self.assertGreater(report["frames"], 30 * 15)
        in_view = report["replicated"]["objects_in_view"]
        self.assertTrue(5 < in_view < 200, report)
        plain = load("plain", clients=5, seconds=1)
        self.assertIsNone(plain["replicated"])
        each = plain["bytes_per_s"] / max(1, plain["frames_per_s"])
        self.assertLess(report["replicated"]["payload_bytes"]["mean"], each / 10)

    def test_every_core_of_a_spread_room_has_a_mirror(self):
        begun = server.metric("mirrors_begun_total")
        report = load("giant", clients=60)
        self.assert_right(report)
        self.assertEqual(report["joined"], 60)
        if len(CPUS) > 1:
            self.assertGreater(server.metric("mirrors_begun_total"), begun)
            for core in "01":
                self.assertGreater(server.metric("replicated_frames_total", f'core="{core}"'), 0)

    def test_two_ticks_go_together_where_the_room_says_so(self):
        report = load("paired", clients=40)
        self.assert_right(report)
        self.assertGreater(report["frames"], 40 * 15)
        # Half as many where everyone keeps up; who does not is sent its newest tick alone.
        self.assertLess(report["replicated"]["messages"], report["replicated"]["frames"])
        returned = load("paired", "--drops-per-s", "10", "--slow", "5", "--slow-bytes-per-s", "2000", clients=40)
        self.assert_right(returned)
        self.assertGreater(returned["resumed"], 0)

    def test_who_comes_back_begins_anew_and_goes_on_right(self):
        anew = server.metric("replicated_frames_anew_total")
        report = load("giant", "--drops-per-s", "10", clients=40)
        self.assert_right(report)
        self.assertGreater(report["returned"], 5)
        self.assertGreater(report["resumed"], 0)
        self.assertGreaterEqual(server.metric("replicated_frames_anew_total"),
                                anew + 40 + report["returned"])

    def test_who_reads_slowly_skips_ticks_and_stays_right(self):
        report = load("arena", "--slow", "5", "--slow-bytes-per-s", "2000", clients=20)
        self.assert_right(report)

    def test_clients_had_no_reason_to_ask_for_everything_anew(self):
        load("arena", clients=3, seconds=1)
        self.assertEqual(server.metric("resyncs_total"), 0)
        self.assertEqual(server.metric("room_replication_mistakes_total"), 0)
        self.assertGreater(server.metric("room_replicated_objects", 'room="arena"'), 400)


if __name__ == "__main__":
    unittest.main()
