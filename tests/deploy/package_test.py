#!/usr/bin/env python3
"""The package on a node with nothing on it: installed it serves, upgraded it refuses nobody, removed it is
gone. On booted hosts (host-up.sh), so it takes root.

    package_test.py SUITE PACKAGE NEWER_PACKAGE
"""

import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

SUITE = sys.argv[1]
PACKAGE, NEWER = (pathlib.Path(argument).resolve() for argument in sys.argv[2:4])
FOLDER = pathlib.Path(__file__).resolve().parent
HOST, ADDRESS = f"pkg-{SUITE}", "10.77.0.41/24"
WAIT_SECONDS = 40
PROBE = r"""
import json, socket, sys, time
# Connects over and over until told to end: how often it was answered, and what went wrong.
answered, failures = 0, []
import threading
end = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()
while not end.is_set():
    try:
        with socket.create_connection(("127.0.0.1", 9000), timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
            first = connection.recv(12)
            if first == b"HTTP/1.1 200":
                answered += 1
            else:
                failures.append(repr(first))
    except OSError as error:
        failures.append(str(error))
    time.sleep(0.01)
print(json.dumps([answered, failures]))
"""

# Stops one thread of a process, as no signal could do it (ptrace(2)), until the process is gone.
STAND_STILL = r"""
import ctypes, os, pathlib, sys, time
process = pathlib.Path("/proc", sys.argv[1])
[core] = [int(task.name) for task in (process / "task").iterdir()
          if (task / "comm").read_text().strip() == "core-0"]
libc = ctypes.CDLL(None, use_errno=True)
for request in (0x4206, 0x4207):  # PTRACE_SEIZE, PTRACE_INTERRUPT
    assert libc.ptrace(request, core, None, None) == 0, os.strerror(ctypes.get_errno())
deadline = time.monotonic() + 60
while process.exists() and time.monotonic() < deadline:
    time.sleep(0.1)
"""


def script(name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    """Its standard output; what goes wrong is on standard error."""
    ended = subprocess.run([FOLDER / name, *arguments], check=False, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if check and ended.returncode != 0:
        raise AssertionError(f"{name} {' '.join(arguments)}: exit status {ended.returncode}\n"
                             f"{ended.stdout}{ended.stderr}")
    return ended


def inside(*command: str, check: bool = True) -> str:
    return script("host-exec.sh", HOST, *command, check=check).stdout


def apt(*arguments: str) -> str:
    return inside("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y",
                  "--no-install-recommends", *arguments)


def place(package: pathlib.Path) -> str:
    """The package's path in the host."""
    hosts = pathlib.Path(os.environ.get("RINGCAST_HOSTS", "/var/tmp/ringcast-hosts"))
    (hosts / "hosts" / HOST / "root/opt" / package.name).write_bytes(package.read_bytes())
    return f"/opt/{package.name}"


def prop(unit: str, name: str) -> str:
    return inside("systemctl", "show", "--property", name, "--value", unit).strip()


def answers(path: str, port: int, token: str = "") -> bool:
    shown = ["--header", f"Authorization: Bearer {token}"] if token else []
    return subprocess.run([FOLDER / "host-exec.sh", HOST, "curl", "--silent", "--fail", "--max-time", "5", *shown,
                           "--output", "/dev/null", f"http://127.0.0.1:{port}{path}"],
                          check=False).returncode == 0


def until(condition, what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {WAIT_SECONDS} s: {what}\n" + inside(
                "journalctl", "--no-pager", "-n", "30", "-u", "ringcast*", check=False))
        time.sleep(0.2)


def ready() -> bool:
    return answers("/readyz", 9001)


def processes() -> str:
    return inside("pgrep", "-a", "-x", "ringcast", check=False)


def listening() -> list[str]:
    """Local addresses of listening TCP sockets, those of ssh left out."""
    lines = inside("ss", "-H", "-l", "-t", "-n").splitlines()
    return sorted(address for line in lines if not (address := line.split()[3]).endswith(":22"))


def traces() -> list[str]:
    """Whatever on the node bears the name, caches and journals apart."""
    return inside("find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", "/sys", "-o", "-path", "/opt",
                  "-o", "-path", "/var/cache", "-o", "-path", "/var/log", ")", "-prune", "-o", "-iname",
                  "*ringcast*", "-print").splitlines()


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(script, "host-down.sh", HOST)
        script("host-down.sh", HOST)
        script("host-up.sh", HOST, ADDRESS, SUITE)
        cls.package, cls.newer = place(PACKAGE), place(NEWER)
        script("host-fetch.sh", HOST, cls.package)

    def test_1_an_installed_package_serves_on_the_loopback_address_alone(self):
        self.assertEqual(traces(), [])
        apt("install", self.package)
        for unit in ("ringcast.socket", "ringcast.service"):
            self.assertEqual(prop(unit, "ActiveState"), "active")
            self.assertEqual(prop(unit, "UnitFileState"), "enabled")
        until(ready, "ready")
        self.assertIn("app-", inside("curl", "--silent", "http://127.0.0.1:9000/"))  # the page as it is built
        self.assertEqual(listening(), ["127.0.0.1:9000", "127.0.0.1:9001"])
        loaded = json.loads(inside("ringcast", "load", "--clients", "20", "--seconds", "2", "--json"))
        self.assertEqual((loaded["joined"], loaded["closed"]), (20, {}))

    def test_2_it_runs_as_nobody_in_particular(self):
        identity = int(inside("stat", "-c", "%u", f"/proc/{prop('ringcast', 'MainPID')}"))
        self.assertTrue(61184 <= identity <= 65519, identity)  # systemd's range of dynamic users
        status = inside("cat", f"/proc/{prop('ringcast', 'MainPID')}/status")
        self.assertIn("CapBnd:\t0000000000000000", status)
        self.assertIn("NoNewPrivs:\t1", status)
        self.assertEqual(inside("systemctl", "--failed", "--no-legend"), "")

    def test_2_the_units_are_sound_and_closed(self):
        for unit in ("ringcast.service", "ringcast.socket", "ringcast@one.service"):
            said = script("host-exec.sh", HOST, "systemd-analyze", "verify", "--man=no", unit)
            self.assertEqual(said.stdout + said.stderr, "")
        inside("systemd-analyze", "security", "--no-pager", "--threshold=15", "ringcast.service")
        if SUITE != "bookworm":  # systemd 254 brought growing delays between restarts
            self.assertEqual(prop("ringcast.service", "RestartSteps"), "6")

    def test_3_a_secret_reaches_the_process_alone_and_is_asked_for(self):
        secret = "/run/credentials/ringcast.service/admin-token"
        self.assertTrue(answers("/rooms", 9001))
        inside("test", "!", "-e", secret)
        inside("sh", "-c", "umask 077; mkdir -p /etc/credstore; echo s3cret-of-sixteen >/etc/credstore/ringcast.admin-token; "
               "systemctl restart ringcast")
        until(ready, "ready with a secret")
        process = prop("ringcast", "MainPID")
        self.assertEqual(inside("cat", f"/proc/{process}/root{secret}"), "s3cret-of-sixteen\n")
        mode = inside("stat", "-c", "%a", f"/proc/{process}/root{secret}").strip()
        self.assertEqual(mode[-1], "0", f"mode {mode}")
        self.assertNotIn("s3cret-of-sixteen", inside("systemctl", "show", "ringcast"))
        self.assertNotIn("s3cret-of-sixteen", inside("cat", f"/proc/{process}/environ"))
        inside("setpriv", "--reuid=65534", "--clear-groups", "sh", "-c",
               f"! cat /etc/credstore/ringcast.admin-token && ! cat {secret}")
        self.assertTrue(ready() and not answers("/rooms", 9001))
        self.assertTrue(answers("/rooms", 9001, "s3cret-of-sixteen"))
        # A new one, without a restart.
        inside("sh", "-c", "umask 077; echo 0ther-of-sixteen >/etc/credstore/ringcast.admin-token; systemctl reload ringcast")
        until(lambda: answers("/rooms", 9001, "0ther-of-sixteen"), "the new token")
        self.assertFalse(answers("/rooms", 9001, "s3cret-of-sixteen"))
        self.assertEqual(prop("ringcast", "MainPID"), process)
        inside("setpriv", "--reuid=65534", "--clear-groups", "sh", "-c", "! ls /run/ringcast/")
        # What is no token is refused by the reload itself, and neither that nor its absence brings an old one back.
        for change in ("echo two words >/etc/credstore/ringcast.admin-token; ! systemctl reload ringcast",
                       "umask 077; echo 0ther-of-sixteen >/etc/credstore/ringcast.admin-token; systemctl reload ringcast",
                       "rm /etc/credstore/ringcast.admin-token; systemctl reload ringcast"):
            inside("sh", "-c", change)
            self.assertTrue(answers("/rooms", 9001, "0ther-of-sixteen"), change)
            self.assertFalse(answers("/rooms", 9001, "s3cret-of-sixteen"), change)
            self.assertEqual(prop("ringcast", "MainPID"), process)
        inside("sh", "-c", "umask 077; echo 0ther-of-sixteen >/etc/credstore/ringcast.admin-token")
        inside("systemctl", "restart", "ringcast")
        until(lambda: answers("/rooms", 9001, "0ther-of-sixteen"), "the new token after a restart")
        inside("sh", "-c", "rm /etc/credstore/ringcast.admin-token; systemctl restart ringcast")
        until(lambda: answers("/rooms", 9001), "no token")

    def test_3_a_killed_server_comes_back(self):
        before = prop("ringcast", "MainPID")
        inside("systemctl", "kill", "--signal=KILL", "ringcast")
        until(lambda: prop("ringcast", "MainPID") not in ("0", before) and ready(), "another process")

    def test_4_a_server_of_which_a_core_stands_still_is_replaced(self):
        before = prop("ringcast", "MainPID")
        inside("python3", "-c", STAND_STILL, before)
        until(lambda: prop("ringcast", "MainPID") not in ("0", before) and ready(), "another process")
        said = inside("journalctl", "--no-pager", "-u", "ringcast")
        self.assertIn("a core's loop stands still", said)
        self.assertIn("Watchdog timeout", said)

    def test_5_a_broken_file_is_told_and_a_mended_one_serves_without_help(self):
        inside("sed", "-i", "s/^rooms_max = .*/rooms_max = -1/", "/etc/ringcast/ringcast.toml")
        inside("systemctl", "restart", "ringcast", check=False)
        until(lambda: "ringcast.toml:" in inside("journalctl", "--no-pager", "-u", "ringcast"),
              "the mistake's place in the journal")
        self.assertIn(prop("ringcast.socket", "ActiveState"), ("active",))
        inside("sed", "-i", "s/^rooms_max = .*/rooms_max = 1024/", "/etc/ringcast/ringcast.toml")
        until(ready, "ready again")

    def test_5_a_reload_takes_over_a_good_file_and_refuses_a_broken_one(self):
        before = prop("ringcast", "MainPID")
        file = "/etc/ringcast/ringcast.toml"
        inside("sh", "-c", f"cp {file} {file}.kept; printf '[[room]]\\nname = \"lobby\"\\nsimulation = \"echo\"\\n' >>{file}; "
               "systemctl reload ringcast")
        until(lambda: answers("/rooms/lobby", 9001), "the new room")
        until(lambda: prop("ringcast", "ActiveState") == "active", "not reloading any more")
        inside("sh", "-c", f"echo 'page = 3' >{file}")
        broken = script("host-exec.sh", HOST, "systemctl", "reload", "ringcast", check=False)
        self.assertNotEqual(broken.returncode, 0)
        self.assertIn(f"{file}:1: page must be true or false, not an integer",
                      inside("journalctl", "--no-pager", "-u", "ringcast", "-n", "20"))
        inside("systemctl", "kill", "--signal=HUP", "--kill-whom=main", "ringcast")
        until(lambda: "the last reload was refused" in prop("ringcast", "StatusText"), "the refusal in the status")
        self.assertTrue(ready() and answers("/rooms/lobby", 9001))
        inside("sh", "-c", f"mv {file}.kept {file}; systemctl reload ringcast")
        until(lambda: not answers("/rooms/lobby", 9001), "the room is gone")
        self.assertEqual(prop("ringcast", "MainPID"), before)
        self.assertEqual(prop("ringcast", "StatusText"), "serving")

    def test_6_an_upgrade_refuses_no_connection(self):
        socket_since = prop("ringcast.socket", "ActiveEnterTimestampMonotonic")
        process, version = prop("ringcast", "MainPID"), inside("ringcast", "--version")
        knocking = subprocess.Popen([FOLDER / "host-exec.sh", HOST, "python3", "-c", PROBE],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        until(ready, "ready before")
        apt("install", self.newer)
        until(ready, "ready after")
        answered, failures = json.loads(knocking.communicate()[0])
        print(f"{SUITE}: {answered} connections during an upgrade, {len(failures)} not answered")
        self.assertEqual(failures, [])
        self.assertGreater(answered, 10)
        self.assertEqual(prop("ringcast.socket", "ActiveEnterTimestampMonotonic"), socket_since)
        self.assertNotEqual(prop("ringcast", "MainPID"), process)
        self.assertNotEqual(inside("ringcast", "--version"), version)

    def test_7_a_second_instance_has_a_configuration_of_its_own(self):
        inside("sh", "-c", "printf 'listen = \"127.0.0.1:9100\"\\nadmin = \"127.0.0.1:9101\"\\n' "
               ">/etc/ringcast/two.toml; systemctl enable --now ringcast@two")
        until(lambda: answers("/readyz", 9101), "the second instance")
        self.assertTrue(ready())
        self.assertEqual(listening(), ["127.0.0.1:9000", "127.0.0.1:9001", "127.0.0.1:9100", "127.0.0.1:9101"])
        inside("systemctl", "restart", "ringcast", "ringcast@two")
        until(lambda: answers("/readyz", 9101) and ready(), "both after a restart")

    def test_7_an_instance_with_an_escaped_name_reloads_and_takes_a_token(self):
        name = inside("systemd-escape", "a b/c-d").strip()
        self.assertIn("\\x", name)
        unit, token = f"ringcast@{name}", f"/etc/credstore/ringcast-{name}.admin-token"
        inside("sh", "-c", "printf 'listen = \"127.0.0.1:9200\"\\nadmin = \"127.0.0.1:9201\"\\n' "
               f">'/etc/ringcast/{name}.toml'; systemctl start '{unit}'")
        until(lambda: answers("/readyz", 9201), "the instance")
        process = prop(unit, "MainPID")
        inside("sh", "-c", f"umask 077; mkdir -p /etc/credstore; echo s3cret-of-sixteen >'{token}'; systemctl reload '{unit}'")
        until(lambda: answers("/rooms", 9201, "s3cret-of-sixteen"), "the token")
        self.assertFalse(answers("/rooms", 9201))
        self.assertEqual(prop(unit, "MainPID"), process)
        inside("sh", "-c", f"rm '{token}'; systemctl stop '{unit}'")

    def test_8_a_removed_package_leaves_nothing_running(self):
        apt("remove", "ringcast")
        self.assertEqual(processes(), "")
        self.assertEqual(listening(), [])
        self.assertEqual(inside("systemctl", "--failed", "--no-legend"), "")
        # What its owner wrote is still there, and serves again.
        inside("test", "-f", "/etc/ringcast/two.toml")
        apt("install", self.newer)
        until(ready, "ready after it was installed again")

    def test_9_a_purged_package_leaves_nothing(self):
        apt("purge", "ringcast")
        self.assertEqual(processes(), "")
        self.assertEqual(listening(), [])
        self.assertEqual(traces(), [])


if __name__ == "__main__":
    ran = unittest.main(argv=sys.argv[:1], failfast=True, verbosity=2, exit=False).result
    failed = len(ran.failures) + len(ran.errors)
    print(f"{ran.testsRun - len(ran.failures)} passed, {failed} failed, {len(ran.skipped)} skipped")
    sys.exit(0 if ran.wasSuccessful() and ran.testsRun else 1)
