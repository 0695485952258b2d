"""A program of an embedder, built with nothing but what an installation gives it.

    embedder_test.py BUILD_FOLDER SOURCE_ROOT
"""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest

BUILD, ROOT = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])


class Embedder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", folder],
                       check=True, stdout=subprocess.DEVNULL)
        [description] = folder.glob("**/pkgconfig/ringcast.pc")
        [headers] = folder.glob("**/include/ringcast")
        flags = shlex.split(subprocess.run(
            ["pkg-config", "--static", "--cflags", "--libs",
             f"--define-variable=prefix={headers.parent.parent}", "ringcast"],
            check=True, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PKG_CONFIG_PATH": str(description.parent)}).stdout)
        cls.program = folder / "red"
        # Away from the tree, so that no header of it is found.
        for name in ("main.cpp", "button.cpp", "button.h", "tug.cpp", "tug.h"):
            (folder / name).write_bytes((ROOT / "examples" / name).read_bytes())
        subprocess.run(["g++", "-std=c++23", "main.cpp", "button.cpp", "tug.cpp", *flags, "-o", cls.program],
                       check=True, cwd=folder)

    def run_program(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.program, *arguments], check=False, capture_output=True, text=True)

    def test_it_serves_rooms_of_its_own_simulation_and_of_the_bundled_ones(self):
        ended = self.run_program("serve", "--check-config", "--room", "red=button,goal=50", "--room",
                                 "arena=arena")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_what_its_simulation_refuses_is_said(self):
        ended = self.run_program("serve", "--check-config", "--room", "red=button,goal=0")
        self.assertEqual(ended.returncode, 2)
        self.assertIn("button's goal is a whole number", ended.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
