"""The systemd units as they are installed: systemd finds no fault with them, they are as closed as they
can be, and they carry production's limits.

    units_test.py PROGRAM UNITS_FOLDER MANUAL_FOLDER SOURCE_ROOT
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM, UNITS, MANUAL, ROOT = (
    pathlib.Path(argument).resolve() for argument in sys.argv[1:5])
SERVICES = ("ringcast.service", "ringcast@.service")
EXPOSURE_MAX = 15  # tenths
SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def unit(name: str) -> dict[str, list[str]]:
    """Every key of a unit and its values, in order."""
    values: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if found := re.match(r"([A-Za-z]+)=(.*)$", line):
            values.setdefault(found[1], []).append(found[2])
    return values


def size(text: str) -> int:
    return int(text[:-1]) * SUFFIXES[text[-1]] if text[-1] in SUFFIXES else int(text)


def default(key: str) -> int:
    return int(re.search(rf"(?m)^{key} = (\d+)$", (ROOT / "config/ringcast.toml").read_text())[1])


class Units(unittest.TestCase):
    def test_production_limits_are_in_both_services(self):
        # Descriptors: those of the listener's and the ring's own, and each connection of 32 cores.
        open_files = 32 * (default("connections_max") + 64)
        locked = 64 * default("registered_bytes")
        for name in SERVICES:
            with self.subTest(unit=name):
                self.assertGreaterEqual(size(unit(name)["LimitNOFILE"][0]), open_files)
                self.assertGreaterEqual(size(unit(name)["LimitMEMLOCK"][0]), locked)

    def test_both_services_are_watched_and_come_back(self):
        for name in SERVICES:
            with self.subTest(unit=name):
                values = unit(name)
                self.assertEqual(values["Type"], ["notify"])
                self.assertTrue(values["WatchdogSec"])
                self.assertIn(values["Restart"], (["always"], ["on-failure"]))
                # Whatever the reason, never given up for good.
                self.assertEqual(values["StartLimitIntervalSec"], ["0"])

    def test_a_reload_lays_a_new_token_and_checks_all_that_the_server_will_read_before_it_is_told(self):
        for name in SERVICES:
            with self.subTest(unit=name):
                values = unit(name)
                [start] = values["ExecStart"]
                reload = values["ExecReload"]
                as_root, *rest = reload
                self.assertEqual(rest, [f"{start} --check-config", "/bin/kill -HUP $MAINPID"])
                # The only step as root, into a folder of the server's: it must follow no link there.
                self.assertTrue(as_root.startswith("+"))
                self.assertRegex(as_root, "cp .*--remove-destination .* && chown --no-dereference .* && mv -")

    def test_what_a_reload_does_as_root_follows_nothing_that_lies_in_the_server_s_folder(self):
        for name in SERVICES:
            [as_root] = [step for step in unit(name)["ExecReload"] if step.startswith("+")]
            [state] = unit(name)["RuntimeDirectory"]
            for planted, laid in (("nothing", True), ("link to a file", True), ("link to a folder", True),
                                  ("folder", False)):
                with self.subTest(unit=name, planted=planted):
                    folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
                    run, elsewhere, store = (folder / part for part in ("run", "elsewhere", "credstore"))
                    for part in (run, elsewhere, store):
                        part.mkdir()
                    (elsewhere / "file").write_text("theirs")
                    (elsewhere / f"{state}.admin-token").write_text("theirs")
                    (store / f"{state}.admin-token").write_text("s3cret-of-sixteen")
                    if planted == "folder":
                        (run / "new").mkdir()
                    elif planted != "nothing":
                        (run / "new").symlink_to(elsewhere / ("file" if planted.endswith("file") else ""))
                    step = as_root.replace(f"/run/{state}/", f"{run}/").replace("/etc/credstore/", f"{store}/")
                    done = subprocess.run(shlex.split(step.removeprefix("+")), stderr=subprocess.DEVNULL, check=False)
                    self.assertEqual(done.returncode == 0, laid)
                    self.assertEqual({path.read_text() for path in elsewhere.iterdir()}, {"theirs"})
                    token = run / "admin-token"
                    self.assertEqual(token.exists(), laid)
                    if laid:
                        self.assertFalse(token.is_symlink())
                        self.assertEqual(token.read_text(), "s3cret-of-sixteen")
                        self.assertEqual(token.stat().st_mode & 0o777, 0o600)

    def test_what_a_service_keeps_is_its_own(self):
        states = [unit(name)["StateDirectory"][0] for name in SERVICES]
        self.assertEqual(states[0], "ringcast")
        # Beside it, not in it: a dynamic user can't enter another's folder.
        self.assertNotIn("/", states[1])
        self.assertIn("%i", states[1])
        for name in SERVICES:
            self.assertEqual(unit(name)["DynamicUser"], ["yes"])

    def test_secrets_are_credentials(self):
        for name in SERVICES:
            values = unit(name)
            self.assertTrue(any(value.startswith("admin-token") for value in values["LoadCredential"]))
            self.assertFalse({"Environment", "EnvironmentFile", "PassEnvironment"} & values.keys())


class Analysis(unittest.TestCase):
    """By the tools of the systemd that is installed here."""

    def setUp(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("needs systemd")
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for path in UNITS.glob("ringcast*.*"):
            if path.suffix in (".service", ".socket"):
                text = re.sub(r"(?m)^(Exec\w+=)\S*/ringcast ", rf"\g<1>{PROGRAM} ", path.read_text())
                (self.folder / path.name).write_text(text)
        (self.folder / "ringcast@one.service").symlink_to("ringcast@.service")
        shutil.copytree(ROOT / "systemd/examples", self.folder / "ringcast.service.d")
        # Where man looks: in a folder for each section.
        for page in MANUAL.glob("*.[15]"):
            section = self.folder / "man" / f"man{page.suffix[1:]}"
            section.mkdir(parents=True, exist_ok=True)
            shutil.copy(page, section)

    def analyze(self, *arguments) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["systemd-analyze", *arguments], check=False, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env={**os.environ, "MANPATH": str(self.folder / "man")})

    def test_verify_prints_nothing(self):
        for name in ("ringcast.service", "ringcast.socket", "ringcast@one.service"):
            with self.subTest(unit=name):
                ended = self.analyze("verify", *self.man_pages(), self.folder / name)
                self.assertEqual((ended.stdout, ended.returncode), ("", 0))

    def test_verify_finds_a_misspelt_key_in_a_unit_and_in_a_drop_in(self):
        service = self.folder / "ringcast.service"
        for path in (self.folder / "ringcast.service.d/cpu-affinity.conf", service):
            path.write_text(re.sub(r"(?m)^(WatchdogSec|CPUAffinity)=", r"\1s=", path.read_text()))
        found = self.analyze("verify", "--man=no", service).stdout
        self.assertIn("WatchdogSecs", found)
        self.assertIn("CPUAffinitys", found)

    def test_exposure_is_at_most_one_and_a_half(self):
        for name in SERVICES:
            with self.subTest(unit=name):
                ended = self.analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}",
                                     "--no-pager", self.folder / name)
                self.assertEqual(ended.returncode, 0, ended.stdout)
                self.assertRegex(ended.stdout, r"Overall exposure level for \S+: [01]\.\d")

    @staticmethod
    def man_pages() -> list[str]:
        """Documentation= is looked up where there is a man that can do so."""
        return ["--man=yes" if shutil.which("man") else "--man=no"]


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
