"""What docs/observability offers fits the server: rules that promtool takes, whose tests pass, and no
dashboard panel, alert or page that names what the server does not say."""

import contextlib
import itertools
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

import harness
import websocket

FOLDER = pathlib.Path("docs/observability")
PROMTOOL = str(pathlib.Path("build/tools/usr/bin/promtool").resolve())
server: harness.Server


def setUpModule():
    global server
    server = harness.Server(name="observability")


def tearDownModule():
    server.stop()


def promtool(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([PROMTOOL, *arguments], cwd=FOLDER, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)


def names_in(text: str) -> set[str]:
    """Names of metrics in PromQL."""
    return set(re.findall(r"\bringcast_\w+", text))


def served_names() -> set[str]:
    return {re.match(r"\w+", line)[0] for line in server.admin("/metrics").text.splitlines()
            if line and not line.startswith("#")}


def dashboard_expressions() -> list[str]:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return expressions + [variable["query"] for variable in dashboard["templating"]["list"]]


class Rules(unittest.TestCase):
    def test_promtool_takes_the_alert_rules_and_the_configuration(self):
        for what in (("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml")):
            checked = promtool(*what)
            self.assertEqual(checked.returncode, 0, checked.stdout)

    def test_the_tests_of_the_alert_rules_pass(self):
        tried = promtool("test", "rules", "alerts_test.yml")
        self.assertEqual(tried.returncode, 0, tried.stdout)

    def test_each_alert_is_tried_both_when_it_fires_and_when_it_must_not(self):
        alerts = set(re.findall(r"- alert: (\w+)", (FOLDER / "alerts.yml").read_text()))
        tests = (FOLDER / "alerts_test.yml").read_text()
        self.assertGreater(len(alerts), 5)
        self.assertEqual(set(re.findall(r"eval_time: \w+, alertname: (\w+)}", tests)), alerts)
        self.assertEqual(set(re.findall(r"alertname: (\w+)\n\s+exp_alerts", tests)), alerts)

    def test_alerts_and_dashboard_name_only_what_is_served(self):
        served = served_names()
        rules = re.sub(r"(summary|action): .*", "", (FOLDER / "alerts.yml").read_text())
        self.assertEqual(names_in(rules) - served, set())
        expressions = dashboard_expressions()
        self.assertGreater(len(expressions), 20)
        self.assertEqual(names_in("\n".join(expressions)) - served, set())

    def test_the_dashboard_s_expressions_are_promql(self):
        """Each as a recording rule, with Grafana's own variables filled in."""
        queries = [expression for expression in dashboard_expressions()
                   if "ringcast_" in expression and not expression.startswith("label_values")]
        rules = [{"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m")}
                 for number, query in enumerate(queries)]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            checked = promtool("check", "rules", file.name)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        self.assertIn(f"{len(rules)} rules found", checked.stdout)


class LiveView(unittest.TestCase):
    def stream(self):
        """The reports of the stream, one after the other."""
        with harness.connect(server.admin_port) as connection:
            connection.sendall(b"GET /live/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            lines = connection.makefile("rb")
            self.assertEqual(lines.readline(), b"HTTP/1.1 200 OK\r\n")
            while True:
                line = lines.readline()
                self.assertTrue(line, "the stream goes on")
                if line.startswith(b"data: "):
                    yield json.loads(line[len(b"data: "):])

    def reports(self, count: int) -> list[dict]:
        """The next reports of the stream."""
        with contextlib.closing(self.stream()) as reports:
            return list(itertools.islice(reports, count))

    def test_the_stream_tells_of_cores_rooms_and_sessions(self):
        with contextlib.ExitStack() as stack:
            members = [stack.enter_context(websocket.Connection(server.port)) for _ in range(3)]
            stack.enter_context(websocket.reading(*members))
            harness.until(lambda: server.metric("sessions") == 3, "three sessions")
            first, second = self.reports(2)
        for report in (first, second):
            self.assertEqual(report["readiness"], "serving")
            self.assertEqual([core["core"] for core in report["cores"]], [0])
            self.assertEqual([room["name"] for room in report["rooms"]], ["arena", "echo"])
        self.assertEqual(second["cores"][0]["sessions"], 3)
        self.assertGreater(second["cores"][0]["frames_per_s"], 0)
        self.assertGreater(second["rooms"][0]["tick"], first["rooms"][0]["tick"])
        self.assertEqual(second["rooms"][0]["members"], 3)
        self.assertEqual({session["room"] for session in second["slowest"]}, {"arena"})

    def test_a_report_that_comes_late_is_not_followed_by_another_at_once(self):
        with contextlib.closing(self.stream()) as reports:
            next(reports)
            server.signal(signal.SIGSTOP)
            time.sleep(2.5)
            server.signal(signal.SIGCONT)
            windows = [report["window_s"] for report in itertools.islice(reports, 4)]
        self.assertGreater(max(windows), 2, "one was late")
        self.assertGreaterEqual(min(windows), 0.99, "each covers a second")

    def test_a_crowd_that_looks_and_does_not_read_shuts_out_nobody_else(self):
        with contextlib.ExitStack() as stack:
            for _ in range(30):
                connection = stack.enter_context(harness.connect(server.admin_port))
                connection.sendall(b"GET /live/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            refused = server.admin("/live/events")
            self.assertEqual(refused.status, 503)
            self.assertEqual(server.admin("/healthz").status, 200)
        harness.until(lambda: server.admin("/rooms").status == 200, "it goes on")

        def heard() -> bool:
            try:
                return bool(self.reports(1))
            except AssertionError:
                return False  # not all of the crowd have been noticed as gone
        harness.until(heard, "somebody else may look again")

    def test_top_shows_it_as_lines(self):
        with websocket.Connection(server.port):
            shown = harness.run("top", "--admin", f"127.0.0.1:{server.admin_port}", "--once")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        lines = shown.stdout.splitlines()
        self.assertRegex(lines[0], r"^ringcast \S+ serving: \d+ sessions, ")
        for wanted in (r"^   0 +\d+% [#.]{5} ", r"^arena +0 ", r"^echo +0 "):
            self.assertTrue(any(re.search(wanted, line) for line in lines), (wanted, shown.stdout))
        self.assertNotIn("\x1b", shown.stdout)

    def test_top_says_in_a_line_why_it_shows_nothing(self):
        nobody = harness.run("top", "--admin", f"127.0.0.1:{harness.free_port()}", "--once")
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("is the server running", nobody.stderr)
        page = harness.run("top", "--admin", f"127.0.0.1:{server.port}", "--once")
        self.assertEqual(page.returncode, 1)
        self.assertIn("not a ringcast that has a live view", page.stderr)
        self.assertEqual(page.stderr.count("\n"), 1)


class Log(unittest.TestCase):
    def test_the_first_lines_say_what_runs(self):
        line = next(line for line in server.log().splitlines() if " info started " in line)
        for field in (r"version=\d", r"kernel=\d", r'features="', r"cores=1", r"cpus=any",
                      r"memory_locked_bytes=\d"):
            self.assertRegex(line, field)

    def test_a_session_closed_for_what_it_did_is_told_with_its_room_and_member(self):
        with harness.serving(name="observability-log") as other:
            with websocket.Connection(other.port, "/rooms/arena") as connection:
                connection.send(websocket.frame(websocket.BINARY, b"\xff\xff\xff\xff"))
                connection.receive_close()
            line = harness.until(
                lambda: next((line for line in other.log().splitlines() if "session closed" in line),
                             None), "the line is written")
        self.assertRegex(line, r"warning session closed core=0 session=\d+\.\d+ room=arena "
                               r"member=\d+ code=1007 reason=")


if __name__ == "__main__":
    unittest.main()
