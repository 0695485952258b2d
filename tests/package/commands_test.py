"""The manual pages and the completion against the program: nothing is missing, nothing is invented.

    commands_test.py PROGRAM SOURCE_ROOT CONFIGURATION_PAGE
"""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM, ROOT, CONFIGURATION_PAGE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
WAIT_SECONDS = 20


def run(*arguments: str) -> str:
    return subprocess.run([PROGRAM, *arguments], check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def verbs() -> list[str]:
    listed = re.split(r"(?mi)^subcommands:\n", run("--help"))[1]
    return re.findall(r"(?m)^  ([a-z]+)", listed)


def helped(*verb: str) -> dict[str, str]:
    """Each long flag of a verb, and what its --help says of it."""
    flags, name = {}, None
    for line in run(*verb, "--help").splitlines():
        if found := re.match(r" +(?:-\w[, ] *)?(--[a-z-]+)", line):
            name = found[1]
            flags[name] = line
        elif name and line.startswith("      "):
            flags[name] += line
        else:
            name = None
    return flags


def page_file(*verb: str) -> pathlib.Path:
    return ROOT / "man" / ("-".join(("ringcast", *verb)) + ".1")


def plain(roff: str) -> str:
    return roff.replace(r"\-", "-").replace(r"\fP", "").replace(r"\fI", "").replace(r"\fB", "")


def documented(*verb: str) -> dict[str, str]:
    """Each long flag of a page's OPTIONS, and its paragraph."""
    text = plain(page_file(*verb).read_text())
    options = re.search(r"(?ms)^\.SH OPTIONS\n(.*?)(?=^\.SH |\Z)", text)
    paragraphs = options[1].split(".TP\n")[1:] if options else []
    return {re.search(r"--[a-z-]+", paragraph.splitlines()[0])[0]: paragraph
            for paragraph in paragraphs}


class Pages(unittest.TestCase):
    def test_every_verb_has_a_page_and_every_page_a_verb(self):
        expected = {page_file(), *map(page_file, verbs())}
        self.assertEqual(expected, set((ROOT / "man").glob("*.1")))
        for verb in verbs():
            self.assertIn(f"ringcast-{verb} (1)", plain(page_file().read_text()))

    def test_a_page_has_the_flags_of_its_verb_and_no_other(self):
        for verb in ([], *([verb] for verb in verbs())):
            with self.subTest(verb=verb):
                self.assertEqual(sorted(documented(*verb)), sorted(helped(*verb)))

    def test_a_page_names_the_defaults_that_the_program_names(self):
        compared = 0
        for verb in verbs():
            pages = documented(verb)
            for flag, text in helped(verb).items():
                if found := re.search(r"\(default: ([^\s)]*\d[^\s)]*)\)", text):
                    compared += 1
                    self.assertIn(f"Default: {found[1]}.", pages[flag], f"{verb} {flag}")
        self.assertGreater(compared, 10)

    def test_the_configuration_page_has_every_key_of_the_configuration_file(self):
        page = plain(CONFIGURATION_PAGE.read_text())
        table, keys = "", []
        for line in (ROOT / "config/ringcast.toml").read_text().splitlines():
            if found := re.match(r"\[+([a-z_]+)\]+$", line):
                table = found[1] + "."
            elif found := re.match(r"([a-z_]+) = ", line):
                keys.append(table + found[1])
        self.assertGreater(len(keys), 40)
        for key in keys:
            self.assertIn(f".TP\n{key}\n", page)

    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "needs man-db and groff")
    def test_the_pages_are_set_without_a_warning(self):
        for page in (*(ROOT / "man").glob("*.1"), CONFIGURATION_PAGE):
            with self.subTest(page=page.name):
                told = subprocess.run(
                    ["man", "--warnings=w", "-l", page], check=True, capture_output=True,
                    env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"})
                self.assertEqual(told.stderr.decode(), "")
                self.assertIn(b"NAME", told.stdout)


class Completion(unittest.TestCase):
    SCRIPT = ROOT / "completions/ringcast.bash"

    def complete(self, *words: str, folder: str = "/") -> list[str]:
        """What bash would offer for the last of `words`."""
        listed = subprocess.run(
            ["bash", "--norc", "-c",
             'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ringcast; '
             'printf "%s\\n" "${COMPREPLY[@]}"', "-", self.SCRIPT, PROGRAM, *words],
            check=True, stdout=subprocess.PIPE, text=True, cwd=folder).stdout
        return sorted(listed.split())

    def test_the_first_word_is_a_verb(self):
        self.assertEqual(self.complete(""), sorted(verbs()))
        self.assertEqual(self.complete("do"), ["doctor"])

    def test_a_dash_offers_the_flags_of_the_verb(self):
        self.assertEqual(self.complete("--"), sorted(helped()))
        for verb in verbs():
            with self.subTest(verb=verb):
                self.assertEqual(self.complete(verb, "--"), sorted(helped(verb)))
        self.assertEqual(self.complete("load", "--json", "--jo"), ["--joins-per-s"])

    def test_trace_offers_the_scripts(self):
        scripts = [path.stem for path in (ROOT / "bench/trace").glob("*.bt")]
        self.assertEqual(self.complete("trace", ""), sorted([*scripts, "list"]))

    def test_a_flag_offers_its_values(self):
        self.assertEqual(self.complete("serve", "--cores", ""), ["all"])
        self.assertEqual(self.complete("serve", "--cores", "=", "a"), ["all"])
        self.assertEqual(self.complete("serve", "--admin", "o"), ["off"])
        self.assertEqual(self.complete("top", "--admin", "o"), [])
        self.assertEqual(self.complete("load", "--clients", ""), [])
        with tempfile.TemporaryDirectory() as folder:
            for name in ("one.toml", "two.toml", "three.txt"):
                pathlib.Path(folder, name).touch()
            for words in (("--config",), ("--check-reload",), ("--check-reload", "one.toml")):
                self.assertEqual(self.complete("serve", *words, "", folder=folder), ["one.toml", "two.toml"])
            self.assertIn("--room", self.complete("serve", "--check-reload", "one.toml", "two.toml", "--"))

    def test_a_tab_completes_in_a_terminal(self):
        child, terminal = pty.fork()
        if child == 0:
            os.environ.update(PATH=f"{PROGRAM.parent}:{os.environ['PATH']}", TERM="dumb", PS1="$ ")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.addCleanup(os.waitpid, child, 0)
        self.addCleanup(os.close, terminal)
        os.write(terminal, f"source {self.SCRIPT}\n".encode())
        os.write(terminal, b"ringcast ser\t--check-c\t--help >/dev/null && echo as''ked\nexit\n")
        shown, deadline = b"", time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline and select.select([terminal], [], [], WAIT_SECONDS)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # bash has ended
                break
        self.assertIn(b"ringcast serve --check-config --help", shown)
        self.assertIn(b"asked", shown)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
