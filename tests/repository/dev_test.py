#!/usr/bin/env python3
"""The developer's command on a machine that is pretended: which programs it calls, what it waits for, and
what somebody at a terminal sees meanwhile.

    dev_test.py SOURCE_ROOT
"""

import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(sys.argv[1]).resolve()
WAIT_SECONDS = 60

NINJA = """
echo '[1/2] Compiling first.cpp'
while [ -e "$HELD" ]; do command sleep 0.05; done
echo '[2/2] Linking ringcast'
printf '#!/bin/sh\\necho "$@" are served\\n' >build/release/ringcast
chmod +x build/release/ringcast
"""
MESON = 'mkdir -p build/release && touch build/release/build.ninja'
HAS_ALL = 'shift 2; for package; do printf "installed:%s " "$package"; done'


class Dev(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name, "tree")
        self.programs = pathlib.Path(folder.name, "programs")
        self.said = pathlib.Path(folder.name, "said")
        self.held = pathlib.Path(folder.name, "held")
        self.programs.mkdir()
        shutil.copytree(ROOT / "scripts/dev", self.tree / "scripts/dev")
        for file in ("dev", "meson.build"):
            shutil.copy(ROOT / file, self.tree / file)
        self.pretend("sudo", '"$@"')
        self.pretend("dpkg-query", HAS_ALL)
        self.pretend("meson", MESON)
        self.pretend("ninja", NINJA)
        # Waiting is counted, not done.
        self.pretend("sleep", "")

    def pretend(self, name: str, script: str) -> None:
        program = self.programs / name
        program.write_text(f'#!/bin/bash\necho "{name} $*" >>"$SAID"\n{script}\n')
        program.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "CI"}
        return {**kept, "PATH": f"{self.programs}:{os.environ['PATH']}", "SAID": str(self.said),
                "HELD": str(self.held), **more}

    def dev(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.tree / "dev", *arguments], env=self.environment(), text=True, check=False,
                              capture_output=True, cwd="/", timeout=WAIT_SECONDS)

    def calls(self, program: str) -> list[str]:
        return [line for line in self.said.read_text().splitlines() if line.startswith(program + " ")]

    def test_alone_it_lists_its_verbs(self):
        told = self.dev()
        self.assertEqual(told.returncode, 0)
        self.assertIn("\n  build [release|debug|asan|tsan] ", told.stdout)
        self.assertEqual(told.stdout, self.dev("help").stdout)

    def test_what_is_no_verb_is_said_with_those_that_are(self):
        for verb in ("bild", "lib/common", "../dev/build"):
            with self.subTest(verb=verb):
                told = self.dev(verb)
                self.assertEqual(told.returncode, 1)
                self.assertIn(f"dev: unknown verb '{verb}'", told.stderr)
                self.assertIn("\n  build ", told.stderr)

    def test_an_argument_too_many_is_refused(self):
        for arguments in (("build", "debug", "asan"), ("test", "unit", "web"), ("fuzz", "1", "2"), ("lint", "all"),
                          ("format", "all"), ("test-package", "trixie", "bookworm"), ("release", "v1", "v2")):
            with self.subTest(arguments=arguments):
                told = self.dev(*arguments)
                self.assertEqual(told.returncode, 1)
                self.assertIn(f"too many arguments for '{arguments[0]}'", told.stderr)

    def test_run_builds_and_hands_its_arguments_to_the_server(self):
        told = self.dev("run", "--listen", ":9100")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(told.stdout, "serve --listen :9100 are served\n")

    def test_a_failed_build_shows_its_end_and_where_the_rest_is(self):
        self.pretend("ninja", "echo first.cpp:3: error; exit 1")
        told = self.dev("build")
        self.assertEqual(told.returncode, 1)
        self.assertIn("first.cpp:3: error", told.stderr)
        self.assertIn("build/logs/build-release.log", told.stderr)

    def terminal(self, seconds: float, **more: str) -> str:
        """What `./dev run` shows on a terminal; the build goes on once that shows how far it is, or has had so long
        to."""
        self.held.touch()
        (self.programs / "sleep").unlink()
        child, terminal = pty.fork()
        if child == 0:
            os.execve(self.tree / "dev", ["dev", "run"], self.environment(TERM="xterm", **more))
        shown, deadline = b"", time.monotonic() + seconds
        while True:
            if b"[1/2]" in shown or time.monotonic() > deadline:
                self.held.unlink(missing_ok=True)
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    shown += os.read(terminal, 4096)
                except OSError:  # it has ended
                    break
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, shown.decode())
        return shown.decode()

    def test_somebody_at_a_terminal_sees_how_far_the_build_is(self):
        shown = self.terminal(WAIT_SECONDS)
        self.assertIn("first time", shown)
        self.assertIn("[1/2] Compiling first.cpp", shown)
        # What was shown of the build is gone when the server speaks.
        self.assertTrue(shown.replace("\r\n", "\n").endswith("\r\x1b[Kserve are served\n"), repr(shown))

    def test_a_log_has_a_line_a_step(self):
        self.assertNotIn("[1/2]", self.terminal(2, CI="true"))
        self.assertNotIn("[1/2]", self.dev("run").stderr)

    def lacking(self, apt_get: str) -> subprocess.CompletedProcess:
        """Of a machine that has nothing, and whose apt-get is so."""
        self.pretend("dpkg-query", "exit 1")
        self.pretend("apt-get", apt_get)
        return self.dev("build")

    def test_another_apt_is_waited_for(self):
        # As apt-get: for dpkg's lock it waits itself when it is told to, for that of the lists it doesn't.
        told = self.lacking("""
            if [[ " $* " == *" install "* ]]; then
              [[ -e "$SAID.lists" && "$*" == *"DPkg::Lock::Timeout=600"* ]] && exit
              echo "E: Could not get lock /var/lib/dpkg/lock-frontend." && exit 100
            fi
            if (($(grep -c '^apt-get .*update' "$SAID") < 4)); then
              echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)" && exit 100
            fi
            touch "$SAID.lists"
        """)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(len(self.calls("sleep")), 3)

    def test_it_waits_for_no_longer_than_ten_minutes(self):
        told = self.lacking('echo "E: Could not get lock /var/lib/apt/lists/lock." && exit 100')
        self.assertEqual(told.returncode, 1)
        self.assertIn("Could not get lock", told.stderr)
        self.assertEqual(set(self.calls("sleep")), {"sleep 5"})
        self.assertEqual(len(self.calls("sleep")), 600 / 5)

    def test_what_is_no_lock_is_not_waited_for(self):
        told = self.lacking('echo "E: Unable to locate package meson" && exit 100')
        self.assertEqual(told.returncode, 1)
        self.assertIn("Unable to locate package", told.stderr)
        self.assertEqual(self.calls("sleep"), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
