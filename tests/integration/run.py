#!/usr/bin/env python3
"""Runs the tests over real sockets against a built server, and closes with 'N passed, N failed,
N skipped'. Each test module brings its own server on free ports; the npm and browser suites of web/
get one from here.

    tests/integration/run.py --build build/release [--quick] [NAME...]

--quick leaves out what makes no sense under a sanitizer: browsers, npm clients and memory.
A NAME is part of a module's or suite's name; without any, all run.
"""

import argparse
import os
import pathlib
import re
import secrets
import signal
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLOSING_LINE = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
NODE_SUITES = {"npm-ws": "test:ws", "browser": "test:browser"}
NODE_SUITE_SECONDS_MAX = 180
# A bound, not an expectation: a test that would wait for ever fails, and says where it waited.
TEST_SECONDS_MAX = 180


def sentence(test: unittest.TestCase) -> str:
    name = test.id().rpartition(".")[2]
    return name.removeprefix("test_").replace("_", " ")


def give_up(*_) -> None:
    raise AssertionError(f"not over within {TEST_SECONDS_MAX} s")


class Result(unittest.TestResult):
    """One line a test, the reason right behind a failure."""

    def __init__(self, *_):
        super().__init__()
        self.passed = 0
        self.failed_tests = 0

    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()
        self._subtest_failed = False
        signal.alarm(TEST_SECONDS_MAX)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def _line(self, word: str, test, detail: str = "") -> None:
        seconds = time.monotonic() - getattr(self, "_began", time.monotonic())
        took = f" ({seconds:.1f} s)" if seconds >= 1 else ""
        print(f"{word:4} {sentence(test)}{took}", flush=True)
        if detail:
            print("     " + detail.rstrip().replace("\n", "\n     "), flush=True)

    def _failed(self, test, error) -> None:
        self.failed_tests += 1
        self._line("FAIL", test, self._exc_info_to_string(error, test))

    def addSuccess(self, test):
        if not self._subtest_failed:
            self.passed += 1
            self._line("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._failed(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._failed(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            if not self._subtest_failed:
                self.failed_tests += 1
            self._subtest_failed = True
            self._line("FAIL", test, f"{subtest._subDescription()}\n"  # noqa: SLF001
                       + self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line("skip", test, reason)


def run_module(path: pathlib.Path) -> tuple[int, int, int]:
    result = Result()
    unittest.defaultTestLoader.loadTestsFromName(path.stem).run(result)
    return result.passed, result.failed_tests, len(result.skipped)


def run_node_suite(name: str, script: str) -> tuple[int, int, int]:
    import harness

    rooms = ("arena=arena", "plain=arena,replicated=0", "echo=echo", "duel=arena,players=1")
    harness.LOGS.mkdir(parents=True, exist_ok=True)
    token_file = harness.LOGS.resolve() / "admin-token"
    token_file.write_text(secrets.token_hex())
    with harness.serving(name=name, rooms=rooms,
                         config=f'admin_token_file = "{token_file}"') as server:
        environment = {
            **os.environ,
            "RINGCAST_ADMIN_TOKEN": token_file.read_text(),
            "RINGCAST_URL": server.url,
            "RINGCAST_PAGE": f"http://127.0.0.1:{server.port}/",
            "RINGCAST_LIVE": f"http://127.0.0.1:{server.admin_port}/",
            "RINGCAST_SCREENSHOT": str(harness.LOGS.resolve() / "page.png"),
            "RINGCAST_SCREENSHOT_LIVE": str(harness.LOGS.resolve() / "live.png"),
        }
        run = subprocess.run(
            [sys.executable, str(ROOT / "scripts/npm_test.py"), "web", script], cwd=ROOT,
            env=environment, check=False, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=NODE_SUITE_SECONDS_MAX)
    print(run.stdout, end="", flush=True)
    passed, failed, skipped = map(int, CLOSING_LINE.findall(run.stdout)[-1])
    return passed, max(failed, 1 if run.returncode else 0), skipped


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    os.environ["RINGCAST_BINARY"] = str((ROOT / options.build / "ringcast").resolve())
    os.environ["RINGCAST_QUICK"] = "1" if options.quick else "0"
    os.chdir(ROOT)
    signal.signal(signal.SIGALRM, give_up)
    sys.path.insert(0, str(HERE))

    suites = {path.stem: lambda path=path: run_module(path)
              for path in sorted(HERE.glob("*_test.py"))}
    if not options.quick:
        for name, script in NODE_SUITES.items():
            suites[name] = lambda name=name, script=script: run_node_suite(name, script)
    totals = [0, 0, 0]
    for name, run in suites.items():
        if options.names and not any(part in name for part in options.names):
            continue
        print(f"-- {name}", flush=True)
        try:
            counts = run()
        except Exception as error:  # a suite that could not run is a failure, not the end of all
            print(f"FAIL {name}: {error!r}")
            counts = (0, 1, 0)
        totals = [total + count for total, count in zip(totals, counts)]
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] or not totals[0] else 0


if __name__ == "__main__":
    sys.exit(main())
