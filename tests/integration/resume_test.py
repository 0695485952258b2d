"""Connections that are lost: their members keep their place, come back as themselves, miss nothing, and
whoever has no right to a place does not get one."""

import socket
import struct
import unittest

import harness
import websocket
from restart_test import Member


def reset(member: Member) -> None:
    """The connection ends without a word."""
    member.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    member.connection.socket.close()


class Resume(unittest.TestCase):
    def away(self, server: harness.Server, count: int) -> None:
        harness.until(lambda: server.metric("room_away") == count, f"{count} are away")

    def test_who_loses_its_connection_is_the_same_member_again_and_misses_no_event(self):
        with harness.serving(rooms=("arena=arena,replicated=0,bots=20",)) as server:
            member = Member(server.port).settle()
            seen = member.position
            reset(member)
            self.away(server, 1)
            self.assertEqual(server.metric("room_members"), 0)
            with Member(server.port, f"{member.token}.{seen}").connection as connection:
                del connection
            self.away(server, 0)  # it said goodbye
            self.assertEqual(server.metric("room_resumed_total"), 1)

    def test_what_the_welcome_says(self):
        with harness.serving(rooms=("arena=arena,replicated=0,bots=20",)) as server:
            member = Member(server.port).settle()
            self.assertFalse(member.resumed)
            for _ in range(3):
                reset(member)
                back = Member(server.port, f"{member.token}.{member.position}")
                self.assertTrue(back.resumed)
                self.assertTrue(back.events_complete)
                self.assertEqual(back.id, member.id)
                self.assertNotEqual(back.token, member.token)
                back.settle_at(member.own)
                back.show_that_it_is_welcome()
                member = back
            # Without a position it gets everything anew.
            reset(member)
            anew = Member(server.port, member.token)
            self.assertEqual((anew.id, anew.resumed, anew.events_complete), (member.id, True, False))
            anew.connection.close()

    def test_who_is_not_back_in_time_leaves(self):
        with harness.serving(config="[session]\nresume_ms = 300\n") as server:
            watcher = Member(server.port).settle()
            member = Member(server.port).settle()
            reset(member)
            watcher.take_until(lambda: member.own in watcher.deleted, "the object of the absent is gone")
            late = Member(server.port, member.token)
            self.assertFalse(late.resumed)
            self.assertGreater(late.id, member.id)
            self.assertEqual(server.metric("room_resumes_refused_total", 'reason="gone"'), 1)
            late.connection.close()
            watcher.connection.close()

    def test_where_no_place_is_kept_there_is_no_coming_back(self):
        with harness.serving(config="[session]\nresume_ms = 0\n") as server:
            member = Member(server.port).settle()
            reset(member)
            harness.until(lambda: server.metric("room_members") == 0, "it has left")
            self.assertEqual(server.metric("room_away"), 0)

    def test_who_is_back_while_its_old_connection_seems_alive_takes_its_place(self):
        with harness.serving() as server:
            member = Member(server.port).settle()
            back = Member(server.port, member.token)
            self.assertEqual((back.id, back.resumed), (member.id, True))
            _, code = websocket.goodbye(member.connection)
            self.assertEqual(code, 1000)
            back.settle_at(member.own)
            member.connection.close()
            back.connection.close()

    def test_tokens_that_are_none_are_passed_over_counted_and_never_logged(self):
        with harness.serving(config='[log]\nlevel = "debug"\n', rooms=("arena=arena,replicated=0", "other=arena,replicated=0")) as server:
            member = Member(server.port, room="other").settle()
            for claim in (member.token, member.token[:-1] + "!", "x", "A" * 38):
                stranger = Member(server.port, claim)
                self.assertFalse(stranger.resumed)
                stranger.connection.close()
            self.assertEqual(server.metric("room_resumes_refused_total", 'room="arena",reason="invalid"'), 4)
            member.connection.close()
            self.assertNotIn(member.token, server.log())

    def test_in_a_spread_room_everybody_lives_where_it_lands_whatever_it_claims(self):
        with harness.serving(config="cores = 2\n", rooms=("arena=arena,replicated=0,spread=all",)) as server:
            members = [Member(server.port).settle() for _ in range(16)]
            for member in members:
                reset(member)
            self.away(server, 16)
            back = [Member(server.port, f"{member.token}.{member.position}") for member in members]
            self.assertEqual([one.id for one in back], [one.id for one in members])
            strangers = [Member(server.port, "x" * 38) for _ in range(16)]
            self.assertEqual(server.metric("connections_moved_total"), 0)
            for one in back + strangers:
                one.connection.close()


if __name__ == "__main__":
    unittest.main()
