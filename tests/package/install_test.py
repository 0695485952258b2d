"""`meson setup build && meson install -C build` as somebody does it who only wants to use the program: what is
needed, and where things go. Nothing is built.

    install_test.py SOURCE_ROOT
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv[1]).resolve()

# A machine that has everything but Catch2.
PKG_CONFIG = """#!/bin/sh
case "$*" in *catch2*) exit 1 ;; esac
exec {program} "$@"
"""


class Installation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.prefix = cls.folder / "prefix"
        pkg_config = cls.folder / "pkg-config"
        pkg_config.write_text(PKG_CONFIG.format(program=shutil.which("pkg-config")))
        pkg_config.chmod(0o755)
        machine = cls.folder / "machine.ini"
        machine.write_text(f"[binaries]\ncmake = '{cls.folder}/none'\n")
        cls.environment = {**os.environ, "PKG_CONFIG": str(pkg_config)}
        cls.environment.pop("DESTDIR", None)
        cls.setup = cls.meson("setup", cls.folder / "build", ROOT, "--native-file", machine, "--prefix", cls.prefix)

    @classmethod
    def meson(cls, *arguments) -> subprocess.CompletedProcess:
        return subprocess.run(["meson", *arguments], check=False, text=True, env=cls.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def installed(self) -> list[pathlib.Path]:
        listed = self.meson("introspect", "--installed", self.folder / "build").stdout
        return [pathlib.Path(target) for target in json.loads(listed).values()]

    def test_it_needs_nothing_that_only_tests_need(self):
        self.assertEqual(self.setup.returncode, 0, self.setup.stdout)
        targets = json.loads(self.meson("introspect", "--targets", self.folder / "build").stdout)
        self.assertNotIn("test_app", [target["name"] for target in targets])

    def test_everything_goes_into_the_prefix(self):
        installed = self.installed()
        self.assertGreater(len(installed), 10)
        for name in ("ringcast", "ringcast.service", "ringcast.socket", "ringcast-serve.1", "ringcast.toml.5", "ringcast.pc"):
            self.assertIn(name, [path.name for path in installed])
        self.assertEqual([str(path) for path in installed if self.prefix not in path.parents], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
