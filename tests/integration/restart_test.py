"""A restart without loss: what rooms have is saved and restored, members come back as themselves, and
whatever goes wrong on the way is told and costs nothing that was saved before."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import harness
import websocket
from rooms_test import post, request
from websocket import goodbye

PLAYER, BOT, PLAYER_AWAY = 1, 2, 4
F_SETPIPE_SZ = 1031


class Member:
    """A session in an arena: who it is, which object is its own, and the objects that it sees."""

    def __init__(self, port: int, token: str = "", room: str = "arena"):
        self.connection = websocket.Connection(port, f"/rooms/{room}", **websocket.resuming(token))
        kind, welcome = websocket.server_message(self.connection.receive().payload)
        if kind != "welcome":
            raise AssertionError(f"{kind} before the welcome")
        self.id = welcome[2][0]
        self.token = websocket.token_in(welcome)
        self.resumed = welcome.get(10, [0])[0] == 1
        self.events_complete = welcome.get(11, [0])[0] == 1
        self.position = welcome.get(12, [0])[0]
        self.own = 0
        self.deleted: set[int] = set()
        self.objects: dict[int, int] = {}  # id -> kind
        self.tick = -1
        self.acknowledged = -6

    def take(self) -> None:
        """One message of the server's."""
        received = self.connection.receive()
        if received.opcode == websocket.PING:
            return
        if received.opcode != websocket.BINARY:
            raise AssertionError(f"opcode {received.opcode}")
        kind, message = websocket.server_message(received.payload)
        payload = message.get(15, [b""])[0]
        if kind == "snapshot":
            self.tick = websocket.tick_of(message)
            if self.tick - self.acknowledged >= 6:
                self.acknowledged = self.tick
                self.connection.send(websocket.frame(websocket.BINARY, websocket.field(1, self.tick)))
            objects = [websocket.fields(one) for one in websocket.fields(payload).get(4, [])]
            self.objects = {one[1][0]: one.get(6, [0])[0] & 7 for one in objects}
        elif kind == "event":
            self.position = message[3][0]
            event = websocket.fields(payload)
            for created in map(websocket.fields, event.get(1, [])):
                if created.get(2, [0])[0] == self.id:
                    self.own = websocket.fields(created[1][0])[1][0]
            for deleted in map(websocket.fields, event.get(2, [])):
                self.deleted.add(deleted[1][0])

    def take_until(self, condition, what: str) -> None:
        for _ in range(10_000):
            if condition():
                return
            self.take()
        raise AssertionError(f"not within 10,000 messages: {what}")

    def settle(self) -> "Member":
        """Until its own object is known and seen."""
        self.take_until(lambda: self.own in self.objects, "its own object is in a snapshot")
        return self

    def settle_at(self, own: int) -> None:
        """Until that object, which it knows to be its own, is seen."""
        self.own = own
        self.settle()

    def show_that_it_is_welcome(self) -> None:
        """An acknowledgement, which the server has read when this returns."""
        self.take_until(lambda: self.tick > 0, "a snapshot has come")
        self.connection.send(websocket.frame(websocket.BINARY, websocket.field(1, self.tick)))
        self.connection.send(websocket.frame(websocket.PING, b"read?"))
        while self.connection.receive().opcode != websocket.PONG:
            pass

    def lasting(self) -> set[tuple[int, int]]:
        """The objects that collisions neither make nor take; whether a player is there does not matter."""
        return {(one, PLAYER if kind == PLAYER_AWAY else kind) for one, kind in self.objects.items()
                if kind in (PLAYER, BOT, PLAYER_AWAY)}

    def leave_for_restart(self) -> str:
        """Its resume token."""
        going_away, _ = goodbye(self.connection)
        if going_away is None:
            raise AssertionError("no going_away")
        self.connection.close()
        return self.token


def ended(server: harness.Server) -> int:
    server.signal(signal.SIGTERM)
    return server.wait()


class Restart(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.state = pathlib.Path(self.folder.name)
        self.file = self.state / "room-arena.state"

    @contextlib.contextmanager
    def serving(self, name: str, config: str = "", **options):
        """A server whose members are gone when it ends."""
        with harness.serving(config=f'state_directory = "{self.state}"\n{config}', name=name,
                             **options) as server:
            self.members = contextlib.ExitStack()
            with self.members:
                yield server

    def member(self, port: int, **options) -> Member:
        member = Member(port, **options)
        self.members.enter_context(member.connection)
        return member

    def member_before(self, config: str = "", **options) -> tuple[int, str]:
        """A server's life with one member: its id and its resume token."""
        with self.serving("before", config, **options) as server:
            member = self.member(server.port).settle()
            server.signal(signal.SIGTERM)
            token = member.leave_for_restart()
            self.assertEqual(server.wait(), 0)
        return member.id, token

    def restarted(self, config: str, room: str):
        tokens = {}
        with self.serving("before", f"drain_window_ms = 500\n{config}", rooms=(room,)) as server:
            members = [self.member(server.port) for _ in range(10)]
            server.signal(signal.SIGTERM)
            for member in members:
                tokens[member.id] = member.leave_for_restart()
            self.assertEqual(server.wait(), 0)
        self.assertEqual(len(set(tokens.values())), 10)
        with self.serving("after", config, rooms=(room,)) as server:
            for member, token in tokens.items():
                back = self.member(server.port, token=token)
                self.assertEqual(back.id, member)
                back.show_that_it_is_welcome()
                again = self.member(server.port, token=token)
                self.assertGreater(again.id, max(tokens))

    def test_members_come_back_to_their_room_as_themselves_and_only_once(self):
        self.restarted("", "arena=arena,replicated=0")

    def test_who_comes_back_only_after_two_restarts_is_itself_all_the_same(self):
        member, token = self.member_before()
        with self.serving("between"):
            pass
        with self.serving("after") as server:
            self.assertEqual(self.member(server.port, token=token).id, member)

    def test_who_is_gone_before_its_welcome_comes_back_with_the_same_token(self):
        room = ("arena=arena,replicated=0,rate_hz=1",)  # its ticks are far apart
        member, token = self.member_before(rooms=room)
        with self.serving("after", rooms=room) as server:
            for _ in range(3):
                with websocket.Connection(server.port, "/rooms/arena", **websocket.resuming(token)):
                    pass  # upgraded, and no more
            self.assertEqual(self.member(server.port, token=token).id, member)

    def test_members_of_a_spread_room_come_back_whichever_core_they_reach(self):
        self.restarted("cores = 2\n", "arena=arena,replicated=0,spread=all")

    def test_a_member_that_is_back_sees_the_same_objects_and_its_own_among_them(self):
        room = ("arena=arena,replicated=0,bots=20",)
        with self.serving("before", rooms=room) as server:
            member = self.member(server.port).settle()
            others = [self.member(server.port).settle() for _ in range(3)]
            member.take_until(lambda: len(member.lasting()) == 24, "all four are seen")
            server.signal(signal.SIGTERM)
            token = member.leave_for_restart()
            for other in others:
                other.leave_for_restart()
            self.assertEqual(server.wait(), 0)
        with self.serving("after", rooms=room) as server:
            back = self.member(server.port, token=token).settle()
            self.assertEqual(back.id, member.id)
            self.assertEqual(back.own, member.own)
            self.assertEqual(back.lasting(), member.lasting())
            # It begins with the state after the last tick that was saved, which it may have seen.
            self.assertGreaterEqual(back.tick, member.tick)

    def test_who_is_not_back_within_the_resume_timeout_leaves(self):
        with self.serving("before") as server:
            member = self.member(server.port).settle()
            server.signal(signal.SIGTERM)
            token = member.leave_for_restart()
            self.assertEqual(server.wait(), 0)
        with self.serving("after", "resume_timeout_ms = 1000\n") as server:
            watcher = self.member(server.port).settle()
            self.assertGreater(watcher.id, member.id)
            watcher.take_until(lambda: member.own not in watcher.objects,
                               "the object of the absent is gone")
            self.assertGreater(self.member(server.port, token=token).id, watcher.id)

    def test_a_room_opened_while_the_server_ran_is_there_again_until_it_is_closed(self):
        with self.serving("before") as server:
            self.assertEqual(post(server, name="lobby", simulation="arena", parameters={"replicated": 0}).status, 201)
            self.assertEqual(post(server, name="mirror", simulation="arena",
                                  parameters={"replicated": 0, "bots": 3}).status, 201)
            self.assertEqual(post(server, name="echo2", simulation="echo").status, 201)
            member = self.member(server.port, room="lobby").settle()
            server.signal(signal.SIGTERM)
            token = member.leave_for_restart()
            self.assertEqual(server.wait(), 0)
        with self.serving("after") as server:
            back = self.member(server.port, token=token, room="lobby").settle()
            self.assertEqual((back.id, back.own), (member.id, member.own))
            mirror = self.member(server.port, room="mirror").settle()
            self.assertEqual(sum(kind == BOT for kind in mirror.objects.values()), 3)
            # A simulation that can't be saved begins anew, but the room is there.
            self.members.enter_context(websocket.Connection(server.port, "/rooms/echo2"))
            self.assertEqual(request(server, "DELETE", "/rooms/lobby").status, 204)
            self.assertFalse((self.state / "room-lobby.state").exists())
        with self.serving("after-all") as server:
            self.assertEqual(harness.http(server.port, websocket.upgrade_request("/rooms/lobby")).status,
                             404)
            self.member(server.port, room="mirror").settle()

    def test_what_cannot_be_opened_again_stays_as_it_was_saved(self):
        with self.serving("before", "cores = 2\n") as server:
            self.assertEqual(post(server, name="lobby", simulation="arena", core=1).status, 201)
        saved = (self.state / "room-lobby.state").read_bytes()
        with self.serving("after") as server:
            self.assertIn("room lobby was opened while an earlier server ran, and cannot be opened again",
                          server.log())
        self.assertEqual((self.state / "room-lobby.state").read_bytes(), saved)

    def killed_after_a_checkpoint(self, config: str, room: str):
        """Three members, one of whom has left by then, and rooms that were opened meanwhile."""
        config = f"{config}resume_timeout_ms = 1000\nstate.checkpoint_s = 1\n"
        server = harness.Server(config=f'state_directory = "{self.state}"\n{config}', rooms=(room, "echo=echo"),
                                name="killed")
        self.addCleanup(server.kill)
        self.assertIn('info some rooms begin anew at each start: their simulations have no save() rooms=echo\n',
                      server.log())
        with contextlib.ExitStack() as stack:
            faithful, absent, gone = (Member(server.port).settle() for _ in range(3))
            for member in (faithful, absent):
                stack.enter_context(member.connection)
            gone.connection.send(websocket.frame(websocket.CLOSE, websocket.close_payload(1000)))
            gone.connection.close()
            harness.until(lambda: server.metric("room_members", 'room="arena"') == 2, "one has left")
            for simulation, parameters in (("arena", {"replicated": 0}), ("echo", {})):
                posted = post(server, name=f"posted-{simulation}", simulation=simulation, parameters=parameters)
                self.assertEqual(posted.status, 201)
            taken = server.metric("room_checkpoints_total", 'room="arena"')
            harness.until(lambda: server.metric("room_checkpoints_total", 'room="arena"') > taken + 1 and
                          (self.state / "room-posted-arena.state").exists() and
                          (self.state / "room-posted-echo.state").exists(), "checkpoints are written")
            self.assertGreater(server.metric("room_checkpoint_bytes", 'room="arena"'), 100)
            server.kill()
        with self.serving("after", config, rooms=(room, "echo=echo")) as after:
            self.assertIn("info room restored room=arena members=2 ", after.log())
            back = self.member(after.port, token=faithful.token)
            self.assertEqual(back.id, faithful.id)
            back.settle_at(faithful.own)
            watcher = self.member(after.port).settle()
            # Ids that were given out since the checkpoint are not given out again.
            self.assertGreater(watcher.id, 32_768)
            self.assertNotIn(gone.own, watcher.objects)
            watcher.take_until(lambda: absent.own not in watcher.objects, "who has not come back has left")
            self.member(after.port, room="posted-arena").settle()
            self.members.enter_context(websocket.Connection(after.port, "/rooms/posted-echo"))

    def test_a_server_that_is_killed_loses_no_more_than_since_the_last_checkpoint(self):
        self.killed_after_a_checkpoint("", "arena=arena,replicated=0")

    def test_likewise_of_a_spread_room(self):
        self.killed_after_a_checkpoint("cores = 2\n", "arena=arena,replicated=0,spread=all")

    def test_without_checkpoints_nothing_is_written_while_it_runs(self):
        with self.serving("before", "state.checkpoint_s = 0\n") as server:
            self.member(server.port).settle()
            self.assertEqual(server.metric("room_checkpoints_total"), 0)
            self.assertFalse(self.file.exists())

    def test_a_checkpoint_that_cannot_be_written_is_told_once_and_so_is_its_end(self):
        with self.serving("before", "state.checkpoint_s = 1\n") as server:
            in_the_way = self.file.with_name("room-arena.state.new")
            harness.until(self.file.exists, "a checkpoint")
            # What can't be replaced: a folder with something in it.

            def got_in_the_way() -> bool:
                with contextlib.suppress(FileExistsError):
                    in_the_way.mkdir()
                return in_the_way.is_dir()

            harness.until(got_in_the_way, "a folder in the way")
            harness.until(lambda: server.metric("checkpoint_failures_total") > 1, "checkpoints fail")
            self.assertEqual(server.log().count("error no checkpoint: room arena could not be saved to "), 1)
            in_the_way.rmdir()
            harness.until(lambda: "info checkpoints are written again room=arena\n" in server.log(), "a checkpoint")

    def test_a_room_that_leaves_the_configuration_is_kept_for_when_it_is_back(self):
        lobby = '[[room]]\nname = "lobby"\nsimulation = "arena"\nparameters = {replicated = 0, bots = 3}\n'
        config = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), "ringcast.toml")

        def write(rooms: str) -> None:
            config.write_text(f'state_directory = "{self.state}"\nstate.checkpoint_s = 0\n{rooms}[end]\n')

        hall = '[[room]]\nname = "hall"\nsimulation = "arena"\n'
        write(hall + lobby)
        with harness.serving("--config", str(config), rooms=(), name="leaving") as server:
            def reload(rooms: str, says: str) -> None:
                write(rooms)
                server.signal(signal.SIGHUP)
                harness.until(lambda: f"info reloaded {says}\n" in server.log(), says)

            member = Member(server.port, room="lobby").settle()
            with member.connection:
                reload(hall, "rooms_opened=0 rooms_closed=1")
                while (received := member.connection.receive()).opcode != websocket.CLOSE:
                    pass
                self.assertEqual(received.close_code, 1000)
            self.assertTrue((self.state / "room-lobby.state").exists())
            reload(hall + lobby, "rooms_opened=1 rooms_closed=0")
            self.assertIn("info room restored room=lobby members=1 ", server.log())
            back = Member(server.port, room="lobby").settle()
            with back.connection:
                self.assertGreater(back.id, member.id)
                self.assertGreater(back.tick, member.tick)
                self.assertIn(member.own, back.objects)

    def test_a_damaged_file_is_set_aside_in_one_sentence_and_the_room_begins_anew(self):
        self.member_before()
        saved = bytearray(self.file.read_bytes())
        saved[-1] ^= 1
        self.file.write_bytes(saved)
        with self.serving("after") as server:
            self.assertEqual(self.member(server.port).id, 1)
            told = [line for line in server.log().splitlines() if str(self.file) in line]
            self.assertEqual(len(told), 1)
            self.assertIn("is damaged or cut short: its checksum does not match; it is kept as .bad, "
                          "and the room begins anew", told[0])
            self.assertEqual(self.file.with_name("room-arena.state.bad").read_bytes(), saved)

    def test_a_room_of_other_parameters_begins_anew_and_the_file_is_set_aside(self):
        self.member_before()
        saved = self.file.read_bytes()
        with self.serving("after", rooms=("arena=arena,replicated=0,bots=7",)) as server:
            self.assertEqual(self.member(server.port).id, 1)
            self.assertIn("with other parameters, and room arena cannot take it", server.log())
            self.assertEqual(self.file.with_name("room-arena.state.bad").read_bytes(), saved)

    def test_a_server_that_is_killed_while_it_saves_leaves_the_old_state_or_the_new_one(self):
        room = ("arena=arena,replicated=0,bots=1000",)
        self.member_before(rooms=room)
        beside = self.file.with_name("room-arena.state.new")
        killed = harness.Server(config=f'state_directory = "{self.state}"\n', rooms=room, name="killed")
        self.addCleanup(killed.kill)
        killed.signal(signal.SIGTERM)
        while killed.alive() and not beside.exists():
            pass
        killed.kill()
        with self.serving("after", rooms=room) as server:
            self.assertIn("info room restored room=arena members=1", server.log())
            self.assertNotIn("begins anew", server.log())

    def test_what_is_half_written_beside_a_saved_room_is_passed_over_and_replaced(self):
        member, token = self.member_before()
        beside = self.file.with_name("room-arena.state.new")
        # Worse than half a file: a pipe, for whose reader a writer would wait.
        os.mkfifo(beside)
        with self.serving("after") as server:
            self.assertEqual(self.member(server.port, token=token).id, member)
        self.assertFalse(beside.exists())
        self.assertTrue(self.file.is_file())

    def test_a_pipe_in_the_place_of_a_saved_room_holds_nobody_up(self):
        os.mkfifo(self.file)
        with self.serving("after") as server:
            self.assertEqual(self.member(server.port).id, 1)
            self.assertIn(f"{self.file} is not a saved room; it is kept as .bad, and the room begins anew",
                          server.log())
        self.assertTrue(self.file.is_file())

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_a_file_that_may_not_be_read_is_no_damaged_one_and_stays_as_it_is(self):
        member, token = self.member_before()
        self.file.chmod(0)
        server = harness.Server(config=f'state_directory = "{self.state}"\n', name="unreadable")
        self.addCleanup(server.kill)
        self.assertIn("cannot be read: Permission denied; it is left as it is", server.log())
        self.assertEqual(ended(server), 1)
        self.file.chmod(0o600)
        with self.serving("after") as server:
            self.assertEqual(self.member(server.port, token=token).id, member)

    def test_what_was_set_aside_stays_when_more_is(self):
        for number in range(2):
            self.file.write_bytes(f"damage {number}".encode())
            with self.serving(f"damaged-{number}"):
                pass
        for end, number in ((".bad", 0), (".bad.2", 1)):
            self.assertEqual(self.file.with_name(self.file.name + end).read_bytes(), f"damage {number}".encode())

    def test_a_second_server_on_the_same_directory_is_refused_in_a_line(self):
        with self.serving("first") as server:
            second = harness.run("serve", "--listen", "127.0.0.1:0", "--admin", "off", "--state-dir",
                                 str(self.state))
            self.assertEqual((second.returncode, second.stderr.count("\n")), (2, 1))
            self.assertIn(f"the state directory {self.state} is in use by another server "
                          f"(process {server.process.pid})", second.stderr)

    def test_a_full_disk_is_told_and_what_was_saved_before_is_not_lost(self):
        small = self.enterContext(small_disk())
        if small is None:
            self.skipTest("no mount namespace of our own here")
        self.state, self.file = small, small / "room-arena.state"
        room = ("arena=arena,replicated=0,bots=1000",)
        member, token = self.member_before(rooms=room)
        before = self.file.read_bytes()
        filler = small / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        server = harness.Server(config=f'state_directory = "{self.state}"\n', rooms=room, name="full")
        self.addCleanup(server.kill)
        self.assertEqual(ended(server), 1)
        self.assertIn(f"room arena could not be saved to {self.file}: No space left on device; "
                      "what was saved there before is untouched", server.log())
        self.assertEqual(self.file.read_bytes(), before)
        self.assertFalse(self.file.with_name("room-arena.state.new").exists())
        filler.unlink()
        with self.serving("after", rooms=room) as server:
            self.assertEqual(self.member(server.port, token=token).id, member)

    def test_a_state_directory_that_cannot_be_used_is_a_mistake_told_in_a_line(self):
        refused = harness.run("serve", "--listen", "127.0.0.1:0", "--admin", "off", "--state-dir",
                              f"{self.state}/nowhere")
        self.assertEqual(refused.returncode, 2)
        self.assertEqual(refused.stderr.count("\n"), 1)
        self.assertIn(f"the state directory {self.state}/nowhere cannot be used", refused.stderr)


@contextlib.contextmanager
def small_disk():
    """A directory on a disk of 200 KiB; None where no such thing can be mounted. It is mounted in a
    namespace of a helper's, and reached through /proc."""
    if shutil.which("unshare") is None:
        yield None
        return
    script = "mount -t tmpfs -o size=200k none /mnt && echo mounted && exec sleep 600"
    options = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    with subprocess.Popen(["unshare", *options, "sh", "-c", script], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as helper:
        try:
            is_mounted = helper.stdout.readline() == "mounted\n"
            yield pathlib.Path(f"/proc/{helper.pid}/root/mnt") if is_mounted else None
        finally:
            helper.kill()


class UnderLoad(unittest.TestCase):
    """The listener is the service manager's: it goes on listening while no server runs."""

    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.addCleanup(self.listener.close)
        self.port = self.listener.getsockname()[1]
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.config = (f'state_directory = "{folder.name}"\ndrain_window_ms = 500\n'
                       "reconnect_delay_max_ms = 500\n")

    def restarted_under_load(self, config: str, room: str) -> dict:
        clients, restarts = (20, 1) if harness.QUICK else (200, 2)
        command = [harness.BINARY, "load", "--json", "--url", f"ws://127.0.0.1:{self.port}/rooms/arena",
                   "--clients", str(clients), "--seconds", "30", "--inputs-per-s", "1"]
        options = {"config": self.config + config, "rooms": (room,), "listener": self.listener}
        server = harness.Server(name="restart-0", **options)
        self.addCleanup(lambda: server.kill())
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as load:
            try:
                while (line := load.stderr.readline()) != "window begin\n":
                    self.assertTrue(line, "the load ended before its window")
                for number in range(1, restarts + 1):
                    self.assertEqual(ended(server), 0)
                    server = harness.Server(name=f"restart-{number}", **options)
                    harness.until(lambda: server.metric("room_members") == clients,
                                  "everybody is back in the room")
                load.send_signal(signal.SIGINT)  # the window has seen enough
                report = json.loads(load.communicate(timeout=harness.WAIT_SECONDS)[0])
            finally:
                load.kill()
        told = {name: report[name] for name in ("joined", "join_failed", "restarted", "returned", "resumed",
                                                "return_failed", "return_error", "closed", "verify_failed")}
        self.assertEqual(told, {"joined": clients, "join_failed": 0, "restarted": restarts * clients,
                                "returned": restarts * clients, "resumed": restarts * clients,
                                "return_failed": 0, "return_error": "", "closed": {}, "verify_failed": 0})
        self.assertEqual(load.returncode, 0)
        self.assertEqual(ended(server), 0)
        return report

    def test_every_client_is_told_to_go_and_comes_back_as_the_member_it_was(self):
        self.restarted_under_load("", "arena=arena,replicated=0")

    def test_likewise_in_a_spread_room_on_two_cores(self):
        self.restarted_under_load("cores = 2\n", "arena=arena,replicated=0,spread=all")

    def test_likewise_in_a_room_that_replicates(self):
        report = self.restarted_under_load("cores = 2\n", "arena=arena,replicated=1,spread=all")
        self.assertEqual(report["replicated"]["desyncs"], 0)

    def test_who_connects_at_any_time_of_a_restart_is_let_in(self):
        options = {"config": f"{self.config}[session]\nclose_timeout_ms = 500\n",
                   "listener": self.listener}
        with harness.serving(name="connecting-0", **options) as server, contextlib.ExitStack() as stack:
            # Some have said half of their request when it begins, some nothing, some come while it lasts.
            early = [stack.enter_context(harness.connect(self.port)) for _ in range(6)]
            for connection in early[:3]:
                connection.sendall(websocket.upgrade_request()[:30])
            harness.until(lambda: server.metric("connections") == 6, "six connections are open")
            staying = stack.enter_context(websocket.Connection(self.port))
            server.signal(signal.SIGTERM)
            for index, connection in enumerate(early):
                connection.sendall(websocket.upgrade_request()[30 if index < 3 else 0:])
            self.assertEqual(goodbye(staying)[1], 1012)
            staying.close()
            for connection in early:
                answer = harness.read_to_end(connection)
                self.assertTrue(answer.startswith(b"HTTP/1.1 101 "), answer[:60])
                self.assertIn(b"\x03\xf4", answer.partition(b"\r\n\r\n")[2], "closed with 1012")
            late = [stack.enter_context(harness.connect(self.port)) for _ in range(3)]
            for connection in late:
                connection.sendall(websocket.upgrade_request())
            self.assertEqual(server.wait(), 0)
            with harness.serving(name="connecting-1", **options):
                for connection in late:
                    self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 101 "))
                    connection.close()


if __name__ == "__main__":
    unittest.main()
