"""Who may join: tokens of every kind and by every way, what is refused and why, sessions that outlive their
token or don't, and revocations that outlive the server. Tokens are signed by Python and openssl(1), but where
`ringcast token` itself is tried."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import harness
import websocket

SECRET = "0123456789abcdef0123456789abcdef"
OTHER_SECRET = "fedcba9876543210fedcba9876543210"
EXPIRED, REFUSED, REPLACED = 4401, 4403, 4409
CORES = str(min(2, len(os.sched_getaffinity(0))))
# Room 0 is on one core, and the other on all of them.
ROOMS = """
[[room]]
name = "echo"
simulation = "echo"
[[room]]
name = "game-1"
simulation = "arena"
spread = "all"
parameters = { replicated = 0 }
[end]
"""


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changed) -> dict:
    now = int(time.time())
    good = {"sub": "ada", "iat": now, "exp": now + 600, "rooms": ["echo", "game-*"]} | changed
    return {name: value for name, value in good.items() if value is not None}


def by_secret(payload: dict | str, secret: str = SECRET, header: dict | str | None = None) -> str:
    def part(of: dict | str) -> str:
        return base64url((of if isinstance(of, str) else json.dumps(of)).encode())
    text = f"{part({'alg': 'HS256'} if header is None else header)}.{part(payload)}"
    return f"{text}.{base64url(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


def token(**changed) -> str:
    return by_secret(claims(**changed))


def integers_of(der: bytes) -> list[int]:
    """Those of a sequence, as ECDSA's signatures are."""
    at, found = 2, []
    while at < len(der):
        size = der[at + 1]
        found.append(int.from_bytes(der[at + 2:at + 2 + size], "big"))
        at += 2 + size
    return found


def by_openssl(key: pathlib.Path, algorithm: str, payload: dict, kid: str | None = None) -> str:
    header = {"alg": algorithm} | ({"kid": kid} if kid else {})
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, payload))
    with tempfile.NamedTemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        if algorithm == "EdDSA":
            command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-in", file.name]
        else:
            command = ["openssl", "dgst", "-sha256", "-sign", str(key), file.name]
        signature = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    if algorithm == "ES256":
        signature = b"".join(number.to_bytes(32, "big") for number in integers_of(signature))
    return f"{text}.{base64url(signature)}"


def make_key(folder: pathlib.Path, name: str, *options: str) -> tuple[pathlib.Path, pathlib.Path]:
    """A private key and its public half."""
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    subprocess.run(["openssl", "genpkey", "-out", str(private), *options], check=True,
                   stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)], check=True)
    return private, public


def ask(port: int, path: str, **fields: str | None) -> harness.Response:
    return harness.http(port, websocket.upgrade_request(path, **fields))


def post(server: harness.Server, path: str, body: str, *more: str) -> harness.Response:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json",
             f"Content-Length: {len(body.encode())}", "Connection: close", *more]
    return harness.http(server.admin_port, ("\r\n".join(lines) + "\r\n\r\n" + body).encode())


def message(connection: websocket.Connection, kind: str) -> dict:
    """The next of a kind; the socket's timeout bounds the wait."""
    while True:
        received = connection.receive_opcode(websocket.BINARY)
        what, values = websocket.server_message(received.payload)
        if what == kind:
            return values


def renewal(new: str) -> bytes:
    return websocket.frame(websocket.BINARY,
                           websocket.field(6, websocket.field(1, new.encode())))


class WithServer(unittest.TestCase):
    AUTH = ""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "secret").write_text(SECRET + "\n")
        (self.folder / "secret").chmod(0o644)
        (self.folder / "state").mkdir()
        self.config = self.folder / "ringcast.toml"
        self.config.write_text(self.configured())
        self.server = self.enterContext(self.serving())

    def configured(self, auth: str | None = None) -> str:
        return ("[auth]\n" + (f'secret_file = "{self.folder}/secret"\n' + self.AUTH if auth is None else auth) +
                ROOMS)

    def serving(self):
        return harness.serving("--config", str(self.config), "--cores", CORES, "--state-dir",
                               str(self.folder / "state"), rooms=(), name="auth")

    def refused(self, reason: str) -> float:
        return self.server.metric("tokens_refused_total", f'reason="{reason}"')

    def join(self, path: str = "/rooms/game-1", **changed) -> websocket.Connection:
        connection = websocket.Connection(self.server.port, path,
                                          Authorization=f"Bearer {token(**changed)}")
        self.addCleanup(connection.close)
        return connection


class Upgrades(WithServer):
    def test_each_way_of_giving_a_token(self):
        good = token()
        for path, fields in (("/rooms/echo", {"Authorization": f"Bearer {good}"}),
                             ("/rooms/echo", {"Authorization": f"bearer {good}"}),
                             (f"/rooms/echo?token={good}", {}),
                             ("/rooms/echo", {"Sec_WebSocket_Protocol": f"jwt.{good}"}),
                             ("/rooms/game-1", {"Sec_WebSocket_Protocol": f"ringcast.v1, jwt.{good}"})):
            with self.subTest(path=path, fields=fields):
                connection = websocket.Connection(self.server.port, path, **fields)
                spoken = connection.response.headers.get("sec-websocket-protocol")
                self.assertEqual(spoken, "ringcast.v1" if path == "/rooms/game-1" else None)
                connection.close()
        # Not in the log, whichever way it came.
        self.assertNotIn(good, self.server.log())
        self.assertNotIn(good.split(".")[2], self.server.log())

    def test_what_is_no_token_is_answered_401_with_its_reason(self):
        good = token()
        now = int(time.time())
        cases = {
            "missing": [None, ""],
            "malformed": ["a", good + ".", good + "=", by_secret(claims(), header='{"alg":"HS256","alg":"none"}'),
                          by_secret(claims(), header={"alg": "HS256", "crit": ["exp"]}),
                          by_secret('{"sub":"ada","sub":"bob","exp":%d,"rooms":"*"}' % (now + 60))],
            "algorithm": [by_secret(claims(), header={"alg": "none"}),
                          by_secret(claims(), header={"alg": "RS256"}),
                          base64url(b'{"alg":"none"}') + "." + good.split(".")[1] + "."],
            "signature": [by_secret(claims(), OTHER_SECRET), good[:-4] + "AAAA"],
            "claims": [token(sub=None), token(exp=None), token(sub=7), token(rooms=7)],
            "expired": [token(exp=now - 60)],
            "not_yet_valid": [token(nbf=now + 300)],
            "lifetime": [token(exp=now + 10 * 86_400)],
            "too_long": [token(name="x" * 5_000)],
        }
        for reason, tokens in cases.items():
            before = self.refused(reason)
            for wrong in tokens:
                with self.subTest(reason=reason, token=wrong):
                    fields = {} if wrong is None else {"Authorization": f"Bearer {wrong}"}
                    answer = ask(self.server.port, "/rooms/echo", **fields)
                    self.assertEqual(answer.status, 401)
                    self.assertEqual(answer.headers["www-authenticate"], 'Bearer realm="ringcast"')
                    self.assertTrue(answer.text.endswith(".\n"))
            self.assertEqual(self.refused(reason), before + len(tokens))
        harness.until(lambda: "token refused" in self.server.log(), "the log tells of it")
        self.assertIn("reason=missing", self.server.log())

    def test_two_tokens_are_one_too_many(self):
        answer = ask(self.server.port, f"/rooms/echo?token={token()}", Authorization=f"Bearer {token()}")
        self.assertEqual(answer.status, 401)
        self.assertEqual(self.refused("several"), 1)

    def test_a_token_opens_the_rooms_that_it_names(self):
        for rooms, path, status in ((["echo"], "/rooms/echo", 101), ("echo", "/rooms/echo", 101),
                                    (["game-*"], "/rooms/game-1", 101), ("*", "/rooms/echo", 101),
                                    (["game-*"], "/rooms/echo", 403), ([], "/rooms/echo", 403),
                                    (None, "/rooms/echo", 403), (["ech"], "/rooms/echo", 403),
                                    (["e*o"], "/rooms/nowhere", 403), (["*"], "/rooms/nowhere", 404)):
            with self.subTest(rooms=rooms, path=path):
                given = f"Bearer {token(rooms=rooms)}"
                if status == 101:
                    websocket.Connection(self.server.port, path, Authorization=given).close()
                else:
                    self.assertEqual(ask(self.server.port, path, Authorization=given).status, status)

    def test_who_has_none_is_answered_401_whichever_room_it_asks_for(self):
        self.assertEqual(ask(self.server.port, "/rooms/nowhere").status, 401)

    def test_a_connection_that_moves_to_another_core_is_let_in_once(self):
        for _ in range(8):
            websocket.Connection(self.server.port, "/rooms/echo", Authorization=f"Bearer {token()}").close()
        self.assertEqual(self.server.metric("tokens_accepted_total"), 8)


class Keys(WithServer):
    def configured(self, auth: str | None = None) -> str:
        if auth is None:
            self.keys = {}
            for name, options in (("RS256", ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")),
                                  ("ES256", ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")),
                                  ("EdDSA", ("-algorithm", "ED25519"))):
                self.keys[name] = make_key(self.folder, name, *options)
            files = ", ".join(f'"{public}"' for _, public in self.keys.values())
            (self.folder / "jwks.json").write_text(json.dumps({"keys": [
                {"kty": "oct", "kid": "old", "alg": "HS256", "k": base64url(SECRET.encode())},
                {"kty": "oct", "kid": "new", "alg": "HS256", "k": base64url(OTHER_SECRET.encode())},
                {"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"}]}))
            auth = f'public_key_files = [{files}]\njwks_file = "{self.folder}/jwks.json"\n'
        return super().configured(auth)

    def status(self, given: str) -> int:
        return ask(self.server.port, "/rooms/nowhere", Authorization=f"Bearer {given}").status

    def test_what_others_sign_is_good_by_its_own_kind_of_key_alone(self):
        for algorithm, (private, public) in self.keys.items():
            with self.subTest(algorithm=algorithm):
                self.assertEqual(self.status(by_openssl(private, algorithm, claims(rooms="*"))), 404)
                # A public key as the secret of HS256, as text and as it lies in the file.
                for text in (public.read_text(), public.read_text().rstrip("\n")):
                    self.assertEqual(self.status(by_secret(claims(rooms="*"), text)), 401)
                other = "ES256" if algorithm != "ES256" else "RS256"
                forged = by_openssl(private, algorithm, claims(rooms="*")).split(".")
                forged[0] = base64url(json.dumps({"alg": other}).encode())
                self.assertEqual(self.status(".".join(forged)), 401)
        stranger, _ = make_key(self.folder, "stranger", "-algorithm", "ED25519")
        self.assertEqual(self.status(by_openssl(stranger, "EdDSA", claims(rooms="*"))), 401)

    def test_a_key_is_found_by_its_name(self):
        for secret, kid, status in ((SECRET, "old", 404), (OTHER_SECRET, "new", 404), (SECRET, "new", 401),
                                    (SECRET, "nobody", 401), (OTHER_SECRET, None, 404)):
            with self.subTest(kid=kid):
                header = {"alg": "HS256"} | ({"kid": kid} if kid else {})
                self.assertEqual(self.status(by_secret(claims(rooms="*"), secret, header)), status)

    def test_ringcast_token_signs_with_each_kind_of_key(self):
        (self.folder / "secret").write_text(SECRET)
        for key in (self.folder / "secret", *(private for private, _ in self.keys.values())):
            with self.subTest(key=key):
                made = harness.run("token", "--key", str(key), "--subject", "ada", "--room", "*",
                                   "--claims", '{"name":"Ada"}')
                self.assertEqual(made.returncode, 0, made.stderr)
                self.assertEqual(self.status(made.stdout.strip()), 404)

    def test_a_reload_takes_other_keys_and_one_that_can_not_changes_nothing(self):
        good = by_secret(claims(rooms="*"), SECRET, {"alg": "HS256", "kid": "old"})
        jwks = self.folder / "jwks.json"
        whole = jwks.read_text()

        def reload(says: str) -> str:
            before = len(self.server.log())
            self.server.signal(signal.SIGHUP)
            harness.until(lambda: says in self.server.log()[before:], f"the log says: {says}")
            return next(line for line in self.server.log()[before:].splitlines() if says in line)

        for broken in ("", whole[:-5], '{"keys":[]}', '{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}'):
            jwks.write_text(broken)
            self.assertIn("jwks.json", reload("not reloaded"))
            self.assertEqual(self.status(good), 404)
        jwks.write_text(json.dumps({"keys": json.loads(whole)["keys"][1:]}))
        reload("info reloaded")
        self.assertEqual(self.status(good), 401)
        self.assertEqual(self.status(by_secret(claims(rooms="*"), OTHER_SECRET)), 404)


class Sessions(WithServer):
    AUTH = "leeway_s = 0\ngrace_s = 1\n"

    def test_a_session_ends_with_its_token_and_goes_on_with_a_new_one(self):
        soon = int(time.time()) + 5
        forgetful, careful = self.join(exp=soon), self.join(exp=soon, sub="bob")
        taken = message(careful, "token_taken")
        self.assertLessEqual(taken[1][0], 5_000)
        careful.send(renewal(token(sub="bob")))
        self.assertGreater(message(careful, "token_taken")[1][0], 500_000)
        self.assertEqual(websocket.goodbye(forgetful)[1], EXPIRED)
        self.assertGreaterEqual(time.time(), soon)
        for _ in range(3):
            message(careful, "snapshot")
        self.assertEqual(self.server.metric("tokens_renewed_total"), 1)
        self.assertEqual(self.server.metric("sessions_closed_total", 'code="4401"'), 1)

    def test_a_raw_session_ends_likewise(self):
        connection = self.join("/rooms/echo", exp=int(time.time()) + 4)
        self.assertEqual(connection.receive_close().close_code, EXPIRED)

    def test_a_new_token_of_somebody_else_or_of_nobody_ends_the_session(self):
        for wrong in (token(sub="bob"), by_secret(claims(), OTHER_SECRET), token(rooms="echo"), "x"):
            with self.subTest(token=wrong):
                connection = self.join()
                message(connection, "welcome")
                connection.send(renewal(wrong))
                self.assertEqual(websocket.goodbye(connection)[1], REFUSED)

    def test_revoking_ends_sessions_and_lasts_over_a_restart(self):
        hers = [self.join(path) for path in ("/rooms/echo", "/rooms/game-1") for _ in range(3)]
        for connection in hers[:3]:
            connection.send(websocket.frame(websocket.BINARY, b"there"))
            connection.receive_opcode(websocket.BINARY)
        for connection in hers[3:]:
            message(connection, "welcome")
        his = self.join(sub="bob", jti="his-first")
        message(his, "welcome")
        before = token()
        answer = post(self.server, "/revoke", '{"subject":"ada"}')
        self.assertEqual(answer.status, 200)
        told = json.loads(answer.text)
        self.assertEqual(told["sessions_ended"], 6)
        self.assertTrue(told["kept_over_restart"])
        for connection in hers:
            self.assertEqual(websocket.goodbye(connection)[1], REFUSED)
        self.assertEqual(ask(self.server.port, "/rooms/echo", Authorization=f"Bearer {before}").status, 401)
        self.assertEqual(self.refused("revoked"), 1)
        message(his, "snapshot")
        self.assertEqual(json.loads(post(self.server, "/revoke", '{"jti":"his-first"}').text)["sessions_ended"], 1)
        self.assertEqual(websocket.goodbye(his)[1], REFUSED)
        self.server.stop()

        with self.serving() as again:
            for wrong in (before, token(sub="bob", jti="his-first")):
                self.assertEqual(ask(again.port, "/rooms/echo", Authorization=f"Bearer {wrong}").status, 401)
            # What was issued later is good.
            fresh = token(sub="bob", jti="his-second")
            websocket.Connection(again.port, "/rooms/echo", Authorization=f"Bearer {fresh}").close()

    def test_who_ran_out_of_its_token_comes_back_as_the_same_member_and_who_is_revoked_does_not(self):
        hers = self.join(exp=int(time.time()) + 4)
        claim = websocket.token_in(message(hers, "welcome"))
        hers.send(websocket.frame(websocket.BINARY, websocket.field(1, message(hers, "snapshot")[1][0])))
        self.assertEqual(websocket.goodbye(hers)[1], EXPIRED)

        offers = f"ringcast.v1, ringcast.resume.{claim}"
        for given in ({}, {"Authorization": f"Bearer {token(exp=int(time.time()) - 60)}"}):
            self.assertEqual(ask(self.server.port, "/rooms/game-1", Sec_WebSocket_Protocol=offers, **given).status,
                             401)
        # Somebody else's claim is none, and does not use it up.
        other = websocket.Connection(self.server.port, "/rooms/game-1", Sec_WebSocket_Protocol=offers,
                                     Authorization=f"Bearer {token(sub='mallory')}")
        message(other, "welcome")
        other.close()
        self.assertEqual(self.server.metric("room_resumed_total"), 0)
        back = websocket.Connection(self.server.port, "/rooms/game-1", Sec_WebSocket_Protocol=offers,
                                    Authorization=f"Bearer {token()}")
        self.addCleanup(back.close)
        claim = websocket.token_in(message(back, "welcome"))
        self.assertEqual(self.server.metric("room_resumed_total"), 1)

        before = token()
        post(self.server, "/revoke", '{"subject":"ada"}')
        self.assertEqual(websocket.goodbye(back)[1], REFUSED)
        answer = ask(self.server.port, "/rooms/game-1", Authorization=f"Bearer {before}",
                     Sec_WebSocket_Protocol=f"ringcast.v1, ringcast.resume.{claim}")
        self.assertEqual(answer.status, 401)

    def test_who_reads_nothing_ends_with_its_token_as_well(self):
        deaf = [websocket.Connection(self.server.port, "/rooms/game-1", receive_buffer=4_096,
                                     Authorization=f"Bearer {token(exp=int(time.time()) + 4)}") for _ in range(3)]
        for connection in deaf:
            self.addCleanup(connection.close)
        harness.until(lambda: self.server.metric("sessions_closed_total", 'code="4401"') == 3, "all have ended")

    def test_what_can_not_be_revoked_is_said(self):
        for body in ("", "{}", "[]", '{"subject":7}', '{"subject":"a","jti":"b"}'):
            with self.subTest(body=body):
                self.assertEqual(post(self.server, "/revoke", body).status, 400)
        self.assertEqual(self.server.admin("/revoke").status, 405)
        self.assertEqual(post(self.server, "/revoke", '{"subject":"ada"}', "Origin: https://evil.example").status,
                         403)


class OneSession(WithServer):
    AUTH = "one_session = true\nonce = true\n"

    def test_the_newer_session_of_a_subject_ends_the_older_in_the_same_room(self):
        older, elsewhere = self.join(jti="1"), self.join("/rooms/echo", jti="2")
        message(older, "welcome")
        newer = self.join(jti="3")
        message(newer, "welcome")
        self.assertEqual(websocket.goodbye(older)[1], REPLACED)
        message(newer, "snapshot")
        elsewhere.send(websocket.frame(websocket.BINARY, b"still here"))
        self.assertEqual(elsewhere.receive_opcode(websocket.BINARY).payload, b"still here")
        self.assertEqual(self.server.metric("sessions_closed_total", 'code="4409"'), 1)

    def test_over_a_restart_who_comes_back_ends_the_session_that_its_subject_has_begun_meanwhile(self):
        before = self.join(jti="1")
        claim = websocket.token_in(message(before, "welcome"))
        before.send(websocket.frame(websocket.BINARY, websocket.field(1, message(before, "snapshot")[1][0])))
        self.server.stop()
        with self.serving() as again:
            anew, back = (websocket.Connection(again.port, "/rooms/game-1", Sec_WebSocket_Protocol=offers,
                                               Authorization=f"Bearer {token(jti=name)}")
                          for name, offers in (("2", "ringcast.v1"), ("3", f"ringcast.v1, ringcast.resume.{claim}")))
            with contextlib.closing(anew), contextlib.closing(back):
                message(back, "welcome")
                self.assertEqual(again.metric("room_resumed_total"), 1)
                self.assertEqual(websocket.goodbye(anew)[1], REPLACED)
                message(back, "snapshot")

    def test_a_token_opens_one_connection(self):
        good = token(jti="only")
        websocket.Connection(self.server.port, "/rooms/echo", Authorization=f"Bearer {good}").close()
        for path in ("/rooms/echo", "/rooms/game-1"):
            self.assertEqual(ask(self.server.port, path, Authorization=f"Bearer {good}").status, 401)
        self.assertEqual(self.refused("used"), 2)
        self.assertEqual(ask(self.server.port, "/rooms/echo", Authorization=f"Bearer {token()}").status, 401)


class Secrets(WithServer):
    WARNING = "every user of this machine can read a secret"

    def test_a_secret_that_everybody_can_read_is_told(self):
        harness.until(lambda: self.WARNING in self.server.log(), "it is told at start")
        self.assertIn(f"{self.folder}/secret", self.server.log())
        (self.folder / "secret").chmod(0o600)
        self.server.stop()
        with self.serving() as careful:
            self.assertNotIn(self.WARNING, careful.log())


class Mistakes(unittest.TestCase):
    """What a server is not started with."""

    def check(self, auth: str, says: str):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "ringcast.toml")
            path.write_text(auth.replace("FOLDER", folder))
            pathlib.Path(folder, "short").write_text("short")
            checked = harness.run("serve", "--config", str(path), "--check-config")
            self.assertEqual(checked.returncode, 2)
            self.assertIn(says, checked.stderr)
            self.assertEqual(checked.stderr.count("\n"), 1)

    def test_no_key_is_no_way_to_ask_for_tokens(self):
        self.check('[auth]\nissuer = "https://id.example"\n', "[auth] has no key")

    def test_a_key_file_of_no_use_is_named(self):
        self.check('auth.secret_file = "FOLDER/short"\n', "short: as the secret of HS256: it has 5 bytes")
        self.check('auth.secret_file = "FOLDER/none"\n', "none: cannot be read")
        self.check('auth.public_key_files = ["FOLDER/short"]\n', "short: it is not a public key in PEM")
        self.check('auth.jwks_file = "FOLDER/short"\n', "short: it is not a set of JSON Web Keys")
        self.check('auth.secret_file = "$CREDENTIALS_DIRECTORY/secret"\n', "there is no $CREDENTIALS_DIRECTORY")


class Origins(unittest.TestCase):
    def test_empty_means_the_servers_own_host(self):
        with harness.serving(name="origins") as server:
            own = f"127.0.0.1:{server.port}"
            for origin in (f"http://{own}", f"https://{own}", f"HTTP://{own}"):
                websocket.Connection(server.port, Host=own, Origin=origin).close()
            websocket.Connection(server.port, Host="play.example", Origin="https://play.example:443").close()
            websocket.Connection(server.port, Host="play.example:80", Origin="http://play.example").close()
            for host, origin in ((own, "http://127.0.0.1"), (own, f"http://localhost:{server.port}"),
                                 (own, "https://evil.example"), (own, "null"), (own, f"ftp://{own}"),
                                 ("play.example", "https://play.example.evil"),
                                 ("play.example:9000", "https://play.example")):
                with self.subTest(host=host, origin=origin):
                    self.assertEqual(ask(server.port, "/rooms/echo", Host=host, Origin=origin).status, 403)

    def test_everybody_is_told_at_start(self):
        with harness.serving(config='origins_allowed = ["*"]\n', name="origins") as server:
            websocket.Connection(server.port, Origin="https://anybody.example").close()
            self.assertIn("pages of every site may connect", server.log())


if __name__ == "__main__":
    unittest.main()
