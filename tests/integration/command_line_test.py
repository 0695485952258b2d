"""The command line and the configuration file: a mistake is one clear line and exit status 2."""

import pathlib
import re
import socket
import subprocess
import tempfile
import unittest

import harness


class Mistakes(unittest.TestCase):
    def assert_refused(self, *arguments: str, saying: str) -> None:
        """One line on standard error that contains `saying`, nothing on standard output."""
        ended = harness.run(*arguments)
        self.assertEqual(ended.returncode, 2, ended.stderr)
        self.assertIn(saying, ended.stderr)
        self.assertEqual(ended.stderr.count("\n"), 1, ended.stderr)

    def assert_file_refused(self, text: str, line: int, saying: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "bad.toml")
            path.write_text(text)
            for extra in ([], ["--check-config"]):
                self.assert_refused("serve", "--config", str(path), *extra,
                                    saying=f"bad.toml:{line}")
            self.assert_refused("serve", "--config", str(path), saying=saying)

    def test_an_unknown_flag_is_refused(self):
        ended = harness.run("serve", "--no-such-flag")
        self.assertEqual(ended.returncode, 2)
        self.assertIn("--no-such-flag", ended.stderr)

    def test_an_unknown_verb_is_refused(self):
        self.assertEqual(harness.run("dance").returncode, 2)

    def test_an_address_without_a_port_is_refused(self):
        self.assert_refused("serve", "--listen", "localhost", saying="localhost")

    def test_a_name_to_listen_on_is_refused_with_what_it_takes(self):
        self.assert_refused("serve", "--listen", "localhost:9000",
                            saying="'localhost:9000' is not an address to listen on; write an IP "
                                   "address, no name, and a port")

    def test_an_unknown_simulation_is_refused_by_name(self):
        self.assert_refused("serve", "--room", "hall=chess", saying="chess")

    def test_an_unknown_simulation_parameter_is_refused_by_name(self):
        self.assert_refused("serve", "--room", "hall=arena,robots=5", saying="robots")

    def test_a_parameter_out_of_bounds_is_refused(self):
        self.assert_refused("serve", "--room", "hall=arena,bots=20001", saying="bots")

    def test_a_missing_file_is_refused_by_name(self):
        self.assert_refused("serve", "--config", "no-such-file.toml", saying="no-such-file.toml")

    def test_an_unknown_key_is_refused_with_file_and_line(self):
        self.assert_file_refused('# fine\nlisten = "127.0.0.1:9000"\nlistne = "x"\n', 3, "listne")

    def test_a_value_of_the_wrong_type_is_refused_with_file_and_line(self):
        self.assert_file_refused("[session]\nmessage_bytes_max = \"big\"\n", 2, "message_bytes_max")

    def test_a_value_out_of_bounds_is_refused_with_file_and_line(self):
        self.assert_file_refused('[[room]]\nname = "a"\nsimulation = "arena"\nrate_hz = 241\n', 4,
                                 "rate_hz")

    def test_a_file_that_is_not_toml_is_refused_with_file_and_line(self):
        self.assert_file_refused("listen = \n", 1, "bad.toml")

    def test_a_port_in_use_names_the_flag_that_asks_for_it(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for flag, other in (("--listen", "--admin"), ("--admin", "--listen")):
                with self.subTest(flag=flag):
                    self.assert_refused("serve", flag, f"127.0.0.1:{port}", other, "127.0.0.1:0",
                                        saying=f"{flag}: 127.0.0.1:{port} is in use; ")

    def test_a_port_in_use_names_the_line_that_asks_for_it(self):
        with (socket.create_server(("127.0.0.1", 0)) as taken,
              tempfile.TemporaryDirectory() as folder):
            port = taken.getsockname()[1]
            path = pathlib.Path(folder, "taken.toml")
            for key, other in (("listen", "admin"), ("admin", "listen")):
                with self.subTest(key=key):
                    path.write_text(f'# fine\n{other} = "127.0.0.1:0"\n{key} = "127.0.0.1:{port}"\n')
                    self.assert_refused("serve", "--config", str(path),
                                        saying=f"taken.toml:3: 127.0.0.1:{port} is in use; ")


class Verbs(unittest.TestCase):
    def test_check_config_says_that_a_good_file_is_good_and_serves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "good.toml")
            path.write_text('listen = "127.0.0.1:0"\n[[room]]\nname = "a"\nsimulation = "echo"\n')
            ended = harness.run("serve", "--config", str(path), "--check-config")
            self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_check_reload_answers_by_its_exit_status(self):
        with tempfile.TemporaryDirectory() as folder:
            old, new = pathlib.Path(folder, "old.toml"), pathlib.Path(folder, "new.toml")
            room = '[[room]]\nname = "{}"\nsimulation = "arena"\n'
            state = ["--state-dir", folder]

            def answer(old_text: str, new_text: str, *flags: str) -> tuple[int, str]:
                old.write_text(old_text)
                new.write_text(new_text)
                ended = harness.run("serve", "--check-reload", str(old), str(new), *flags)
                self.assertEqual(ended.stderr.count("\n"), 1 if ended.returncode in (1, 2) else 0, ended.stderr)
                return ended.returncode, ended.stdout + ended.stderr

            end = "[end]\n"
            self.assertEqual(answer("rooms_max = 7\n", end), (0, "reload enough\n"))
            self.assertEqual(answer("tcp.backlog = 7\n", end), (3, "restart needed\nwaits for a restart: tcp\n"))
            code, said = answer("rooms_max = 7\n", "")
            self.assertEqual(code, 3)
            self.assertIn("refused: the new file: it may be cut short: it has lost rooms_max; ", said)
            both = room.format("a") + room.format("b")
            self.assertEqual(answer(room.format("a"), both, *state), (0, "reload enough\nopens: b\n"))
            pathlib.Path(folder, "room-b.state").touch()
            self.assertEqual(answer(room.format("a"), both, *state),
                             (0, "reload enough\nreturns: b\n"))
            self.assertEqual(answer(both, room.format("a") + end, *state), (0, "reload enough\nleaves: b\n"))
            self.assertEqual(answer(both, room.format("a") + end)[0], 0)
            for texts in (("nothing = 1", ""), ("", "\nnothing = 1")):
                code, said = answer(*texts)
                self.assertEqual(code, 2)
                self.assertRegex(said, r"(old\.toml:1|new\.toml:2): ")

    def test_help_names_the_verbs(self):
        ended = harness.run("--help")
        self.assertEqual(ended.returncode, 0)
        for verb in ("serve", "load", "doctor"):
            self.assertIn(verb, ended.stdout)

    def test_doctor_finds_what_this_machine_needs(self):
        ended = harness.run("doctor")
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        for word in ("kernel", "memory", "open files", "tcp"):
            self.assertIn(word, ended.stdout.lower())

    def test_serve_prints_the_address_of_its_page(self):
        with harness.serving(name="command-line") as server:
            self.assertIn(f"http://127.0.0.1:{server.port}/", server.log())

    def test_serve_prints_where_its_page_shows_a_room_that_it_has(self):
        with harness.serving(rooms=["echo=echo", "hall=arena,replicated=0"], name="command-line") as server:
            self.assertIn(f" page=\"http://127.0.0.1:{server.port}/?room=hall\" ", server.log())
        with harness.serving(config="page = false", name="command-line") as server:
            self.assertIn(f" listen=127.0.0.1:{server.port} page=off ", server.log())

    def test_serve_prints_the_ports_that_the_kernel_chose(self):
        server = subprocess.Popen([harness.BINARY, "serve", "--listen", "127.0.0.1:0", "--admin",
                                   "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        # Last in, first out: killed if it is there still, then waited for.
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        line = next(line for line in server.stdout if b" serving " in line)
        server.terminate()
        self.assertEqual(server.wait(harness.WAIT_SECONDS), 0)
        self.assertEqual(len(re.findall(rb"http://127.0.0.1:[1-9]\d*/", line)), 2, line)

    def test_a_server_given_a_room_serves_that_room_only(self):
        with harness.serving(rooms=["hall=arena,replicated=0,bots=7"], name="command-line") as server:
            self.assertEqual([room["name"] for room in server.rooms()["rooms"]], ["hall"])


if __name__ == "__main__":
    unittest.main()
