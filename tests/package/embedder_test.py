"""A program of an embedder, built with nothing but what an installation gives it.

    embedder_test.py BUILD_FOLDER SOURCE_ROOT
"""

import os
import pathlib
import shlex
import socket
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
        [cls.description] = folder.glob("**/pkgconfig/ringcast.pc")
        [cls.headers] = folder.glob("**/include/ringcast")
        # Away from the tree, so that no header of it is found.
        for name in ("main.cpp", "embedded.cpp", "button.cpp", "button.h", "meadow.cpp", "meadow.h",
                     "tug.cpp", "tug.h"):
            (folder / name).write_bytes((ROOT / "examples" / name).read_bytes())
        cls.program = cls.build(folder, "red", "ringcast", "main.cpp", "button.cpp", "meadow.cpp", "tug.cpp")
        cls.embedding = cls.build(folder, "embedded", "ringcast-no-allocator", "embedded.cpp", "button.cpp")

    @classmethod
    def build(cls, folder: pathlib.Path, program: str, package: str, *sources: str) -> pathlib.Path:
        flags = shlex.split(subprocess.run(
            ["pkg-config", "--static", "--cflags", "--libs",
             f"--define-variable=prefix={cls.headers.parent.parent}", package],
            check=True, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PKG_CONFIG_PATH": str(cls.description.parent)}).stdout)
        subprocess.run(["g++", "-std=c++23", *sources, *flags, "-o", folder / program], check=True, cwd=folder)
        return folder / program

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

    def test_a_server_inside_a_program_serves_opens_rooms_and_stops(self):
        with subprocess.Popen([self.embedding], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as program:
            host, port = program.stdout.readline().strip().rsplit(":", 1)
            answers = []
            for room in ("red", "blue", "green"):
                with socket.create_connection((host, int(port)), timeout=20) as connection:
                    connection.sendall(f"GET /rooms/{room} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
                    answers.append(connection.recv(4096).split(b" ")[1])
            _, log = program.communicate("", timeout=30)
        self.assertEqual(answers, [b"426", b"426", b"404"])  # rooms that are there ask for an upgrade
        self.assertEqual(program.returncode, 0, log)
        self.assertIn("drained", log)

    def test_a_program_may_keep_its_own_operator_new(self):
        for program, brings in ((self.program, True), (self.embedding, False)):
            symbols = subprocess.run(["nm", "-C", program], check=True, capture_output=True, text=True).stdout
            self.assertEqual(" T operator new(unsigned long)" in symbols, brings, program)



if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
