"""The admin address with a token: who shows it is answered, who does not hears of health alone, and a
reload brings a new one."""

import base64
import json
import os
import pathlib
import signal
import socket
import tempfile
import unittest
import unittest.mock

import harness

TOKEN, NEXT = "first:s3cret-s3cret", "second-s3cret-s3cret"


def bearer(token: str) -> str:
    return f"Bearer {token}"


def basic(token: str, user: str = "me") -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def ask(server: harness.Server, method: str, path: str, shown: str | None = None,
        body: str = "") -> harness.Response:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close",
             f"Content-Length: {len(body)}"]
    if body:
        lines.append("Content-Type: application/json")
    if shown is not None:
        lines.append(f"Authorization: {shown}")
    return harness.http(server.admin_port, ("\r\n".join(lines) + "\r\n\r\n" + body).encode())


class AdminToken(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.file = pathlib.Path(folder, "token")
        self.file.write_text(TOKEN + "\n")
        self.config = pathlib.Path(folder, "ringcast.toml")
        self.config.write_text(f'admin_token_file = "{self.file}"\n')
        self.server = self.enterContext(harness.serving("--config", str(self.config),
                                                        name="admin-token"))

    def test_without_it_there_is_health_and_nothing_else(self):
        for path in ("/healthz", "/readyz"):
            self.assertEqual(ask(self.server, "GET", path).status, 200)
        # Two at each path: more would be guessing.
        wrong = ("Bearer", bearer(NEXT), basic(NEXT), bearer(TOKEN + "x"), TOKEN, bearer(TOKEN[:-1]))
        for index, path in enumerate(("/", "/metrics", "/rooms", "/rooms/arena", "/live/events", "/nowhere")):
            for shown in (None, "", wrong[index], wrong[index - 1]):
                with self.subTest(path=path, shown=shown):
                    refused = ask(self.server, "GET", path, shown)
                    self.assertEqual(refused.status, 401)
                    self.assertEqual(refused.text, "The admin token is asked for, as Authorization: Bearer "
                                                   "or as a password.\n")
                    self.assertIn('realm="ringcast"', refused.headers["www-authenticate"])
        log = self.server.log()
        self.assertIn("warning admin request without the token refused from=127.0.0.1 path=/metrics\n", log)
        for secret in (TOKEN, NEXT):
            self.assertNotIn(secret, log)

    def test_refusals_are_counted(self):
        def count() -> str:
            text = ask(self.server, "GET", "/metrics", bearer(TOKEN)).text
            return next(line for line in text.splitlines() if line.startswith("ringcast_admin_requests_refused_total"))

        self.assertEqual(count(), "ringcast_admin_requests_refused_total 0")
        for shown in (None, bearer(NEXT), basic(NEXT)):
            ask(self.server, "GET", "/metrics", shown)
        ask(self.server, "POST", "/rooms", basic(TOKEN), "{}")
        ask(self.server, "GET", "/readyz", bearer(NEXT))
        self.assertEqual(count(), "ringcast_admin_requests_refused_total 4")

    def test_who_shows_it_is_answered(self):
        for shown in (bearer(TOKEN), "bearer " + TOKEN, basic(TOKEN), basic(TOKEN, "")):
            with self.subTest(shown=shown):
                self.assertIn("ringcast_turns_total", ask(self.server, "GET", "/metrics", shown).text)
                self.assertEqual(ask(self.server, "GET", "/", shown).status, 200)

    def test_rooms_are_changed_with_bearer_alone(self):
        body = json.dumps({"name": "lobby", "simulation": "arena"})
        for shown in (None, basic(TOKEN), bearer(NEXT)):
            self.assertEqual(ask(self.server, "POST", "/rooms", shown, body).status, 401)
            self.assertEqual(ask(self.server, "DELETE", "/rooms/arena", shown).status, 401)
        self.assertEqual(ask(self.server, "POST", "/rooms", bearer(TOKEN), body).status, 201)
        self.assertEqual(ask(self.server, "DELETE", "/rooms/lobby", bearer(TOKEN)).status, 204)
        self.assertEqual(len(json.loads(ask(self.server, "GET", "/rooms", basic(TOKEN)).text)["rooms"]), 2)

    def test_top_shows_it_or_says_how(self):
        top = ("top", "--once", "--admin", f"127.0.0.1:{self.server.admin_port}")
        refused = harness.run(*top)
        self.assertEqual((refused.returncode, refused.stderr),
                         (1, "ringcast top: the server asks for its admin token; name the file that has it: "
                             "--token-file FILE\n"))
        shown = harness.run(*top, "--token-file", str(self.file))
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("arena", shown.stdout)
        nowhere = harness.run(*top, "--token-file", "/nowhere/token")
        self.assertEqual((nowhere.returncode, nowhere.stderr),
                         (1, "ringcast top: /nowhere/token: cannot be read: No such file or directory\n"))

    def test_a_reload_brings_a_new_one_and_refuses_none_at_all(self):
        self.file.write_text(NEXT)
        self.server.signal(signal.SIGHUP)
        harness.until(lambda: ask(self.server, "GET", "/rooms", bearer(NEXT)).status == 200, "the new token")
        self.assertEqual(ask(self.server, "GET", "/rooms", bearer(TOKEN)).status, 401)
        self.file.write_text("\n")
        self.server.signal(signal.SIGHUP)
        harness.until(lambda: f"as it was: {self.file}: is not a token" in self.server.log(), "a refusal")
        self.assertEqual(ask(self.server, "GET", "/rooms", bearer(NEXT)).status, 200)
        self.assertEqual(ask(self.server, "GET", "/rooms").status, 401)
        checked = harness.run("serve", "--config", str(self.config), "--check-config")
        self.assertEqual((checked.returncode, checked.stderr),
                         (2, f"{self.file}: is not a token: one line of 16 to 1024 letters, digits and signs, "
                             "without spaces\n"))

    def test_a_short_one_is_a_mistake_with_its_length(self):
        self.file.write_text("fifteen-letters\n")
        checked = harness.run("serve", "--config", str(self.config), "--check-config")
        self.assertEqual((checked.returncode, checked.stderr),
                         (2, f"{self.file}: is too short for a token: 15 characters, and at least 16 are asked for; "
                             "`openssl rand -hex 32` makes a good one\n"))

    def test_who_guesses_is_told_to_wait_even_when_it_is_right(self):
        refused = [ask(self.server, "GET", "/rooms", bearer(f"{NEXT}{guess}")) for guess in range(60)]
        self.assertEqual(refused[0].status, 401)
        self.assertEqual(refused[-1].status, 429)
        self.assertEqual(refused[-1].headers["retry-after"], "1")
        self.assertEqual(ask(self.server, "GET", "/healthz").status, 200)
        harness.until(lambda: ask(self.server, "GET", "/rooms", bearer(TOKEN)).status == 200, "the right one")

    def test_a_new_one_hangs_up_on_those_who_listen_with_the_old(self):
        request = f"GET /live/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer(TOKEN)}\r\n\r\n".encode()
        address = ("127.0.0.1", self.server.admin_port)

        def heard(stream: socket.socket, what: bytes) -> None:
            came = b""
            while what not in came:
                came += (piece := stream.recv(65536))
                self.assertTrue(piece, came)

        with socket.create_connection(address, harness.WAIT_SECONDS) as stream:
            stream.sendall(request)
            heard(stream, b"data: ")
            # A reload that brings no other disturbs nobody.
            self.server.signal(signal.SIGHUP)
            harness.until(lambda: self.server.log().count(" reloaded ") == 1, "a reload")
            heard(stream, b"data: ")
            self.file.write_text(NEXT)
            self.server.signal(signal.SIGHUP)
            # One report a second: some may be under way.
            for _ in range(20):
                if not stream.recv(65536):
                    break
            else:
                self.fail("who listens with the old token is still told")
        with socket.create_connection(address, harness.WAIT_SECONDS) as stream:
            stream.sendall(request)
            self.assertTrue(stream.recv(65536).startswith(b"HTTP/1.1 401 "))
        with socket.create_connection(address, harness.WAIT_SECONDS) as stream:
            stream.sendall(request.replace(TOKEN.encode(), NEXT.encode()))
            heard(stream, b"data: ")


class NoFile(unittest.TestCase):
    def test_a_pipe_is_not_waited_for(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        pipe, config = pathlib.Path(folder, "token"), pathlib.Path(folder, "ringcast.toml")
        os.mkfifo(pipe)
        config.write_text(f'admin_token_file = "{pipe}"')
        refused = harness.run("serve", "--config", str(config))
        self.assertEqual((refused.returncode, refused.stderr),
                         (2, f"{pipe}: cannot be read: it is a pipe; the token must be in a file\n"))


class Credential(unittest.TestCase):
    def test_one_that_cannot_be_read_is_a_mistake_and_leaves_nothing_open(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ("CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY"):
            for target in ("nowhere", "admin-token"):
                with self.subTest(name=name, target=target), \
                        unittest.mock.patch.dict(os.environ, {name: str(folder)}):
                    (folder / "admin-token").symlink_to(target)
                    checked = harness.run("serve", "--check-config")
                    (folder / "admin-token").unlink()
                    self.assertEqual(checked.returncode, 2)
                    self.assertRegex(checked.stderr, f"^{folder}/admin-token: cannot be read: .*\n$")
                    self.assertEqual(harness.run("serve", "--check-config").returncode, 0)

    def test_systemd_s_credential_is_taken_and_what_a_reload_has_laid_comes_first(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        folders = {}
        for name in ("CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY"):
            folders[name] = pathlib.Path(folder, name)
            folders[name].mkdir()
        (folders["CREDENTIALS_DIRECTORY"] / "admin-token").write_text(TOKEN)
        config = pathlib.Path(folder, "ringcast.toml")
        config.write_text("")
        environment = {name: str(path) for name, path in folders.items()}
        # As of a unit with several.
        environment["RUNTIME_DIRECTORY"] = f"{folder}/another:{environment['RUNTIME_DIRECTORY']}"
        with unittest.mock.patch.dict(os.environ, environment), \
                harness.serving("--config", str(config), name="admin-token") as server:
            self.assertEqual(ask(server, "GET", "/rooms", bearer(TOKEN)).status, 200)
            (folders["RUNTIME_DIRECTORY"] / "admin-token").write_text(NEXT)
            server.signal(signal.SIGHUP)
            harness.until(lambda: ask(server, "GET", "/rooms", bearer(NEXT)).status == 200, "the new one")
            self.assertEqual(ask(server, "GET", "/rooms", bearer(TOKEN)).status, 401)

    def test_an_address_that_others_reach_without_a_token_is_warned_of(self):
        for address, warned in (("0.0.0.0:0", True), ("127.0.0.1:0", False)):
            with self.subTest(address=address), tempfile.NamedTemporaryFile(suffix=".toml") as config:
                process = harness.subprocess.Popen(
                    [harness.BINARY, "serve", "--config", config.name, "--listen", "127.0.0.1:0", "--admin", address],
                    stderr=harness.subprocess.PIPE, text=True)

                def lines_until(what: str) -> str:
                    said = []
                    while not said or what not in said[-1]:
                        said.append(process.stderr.readline())
                        self.assertTrue(said[-1], said)
                    return "".join(said)

                try:
                    said = lines_until(" info serving ")
                    process.send_signal(signal.SIGHUP)
                    reloaded = lines_until(" info reloaded ")
                finally:
                    process.terminate()
                    process.wait(harness.WAIT_SECONDS)
                    process.stderr.close()
                self.assertEqual("give it a token" in said, warned, said)
                self.assertEqual("give it a token" in reloaded, warned, reloaded)


if __name__ == "__main__":
    unittest.main()
