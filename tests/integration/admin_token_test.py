"""The admin address with a token: who shows it is answered, who does not hears of health alone, and a
reload brings a new one."""

import base64
import json
import os
import pathlib
import signal
import tempfile
import unittest
import unittest.mock

import harness

TOKEN, NEXT = "first:s3cret", "second-s3cret"


def bearer(token: str) -> str:
    return f"Bearer {token}"


def basic(token: str, user: str = "me") -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def ask(server: harness.Server, method: str, path: str, shown: str | None = None,
        body: str = "") -> harness.Response:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close",
             f"Content-Length: {len(body)}"]
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
        for path in ("/", "/metrics", "/rooms", "/rooms/arena", "/live/events", "/nowhere"):
            for shown in (None, "", "Bearer", bearer(NEXT), basic(NEXT), bearer(TOKEN + "x"), TOKEN):
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
                         (2, f"{self.file}: is not a token: one line of 1 to 1024 letters, digits and signs, "
                             "without spaces\n"))


class Credential(unittest.TestCase):
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
        with unittest.mock.patch.dict(os.environ, environment), \
                harness.serving("--config", str(config), name="admin-token") as server:
            self.assertEqual(ask(server, "GET", "/rooms", bearer(TOKEN)).status, 200)
            (folders["RUNTIME_DIRECTORY"] / "admin-token").write_text(NEXT)
            server.signal(signal.SIGHUP)
            harness.until(lambda: ask(server, "GET", "/rooms", bearer(NEXT)).status == 200, "the new one")
            self.assertEqual(ask(server, "GET", "/rooms", bearer(TOKEN)).status, 401)

    def test_an_address_that_others_reach_without_a_token_is_warned_of(self):
        for address, warned in (("0.0.0.0:0", True), ("127.0.0.1:0", False)):
            with self.subTest(address=address):
                process = harness.subprocess.Popen(
                    [harness.BINARY, "serve", "--listen", "127.0.0.1:0", "--admin", address],
                    stderr=harness.subprocess.PIPE, text=True)
                try:
                    said = []
                    while not said or " info serving " not in said[-1]:
                        said.append(process.stderr.readline())
                        self.assertTrue(said[-1], said)
                finally:
                    process.terminate()
                    process.wait(harness.WAIT_SECONDS)
                    process.stderr.close()
                self.assertEqual("give it a token" in "".join(said), warned, said)


if __name__ == "__main__":
    unittest.main()
