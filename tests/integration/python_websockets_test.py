"""Debian's python3-websockets, a client that this project did not write, speaks with the server."""

import asyncio
import logging
import unittest

import websockets

import harness
import websocket

server: harness.Server


def setUpModule():
    global server
    # unittest turns asyncio's debugging on, which complains of a busy machine.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    # The largest messages come faster than the default limit allows.
    server = harness.Server(name="python-websockets", config="[session]\nbytes_per_s = 0\n")


def tearDownModule():
    server.stop()


def session(path: str = "/rooms/arena", **options):
    options.setdefault("subprotocols", ["ringcast.v1"])
    return websockets.connect(server.url + path, max_size=None, **options)


async def receive(client) -> tuple[str, dict]:
    """The next message; a snapshot is acknowledged."""
    kind, fields = websocket.server_message(await asyncio.wait_for(client.recv(), harness.WAIT_SECONDS))
    if kind == "snapshot":
        await client.send(websocket.field(1, websocket.tick_of(fields)))
    return kind, fields


async def receive_kind(client, kind: str) -> dict:
    """Skips other messages until one of that kind comes."""
    for _ in range(10_000):
        name, fields = await receive(client)
        if name == kind:
            return fields
    raise AssertionError(f"no {kind} came")


async def close_of(client) -> tuple[int, str]:
    """Reads to the end: the code and reason of the server's close frame."""
    try:
        while True:
            await asyncio.wait_for(client.recv(), harness.WAIT_SECONDS)
    except websockets.exceptions.ConnectionClosed as closed:
        if closed.rcvd is None:
            raise AssertionError("the connection ended without a close frame") from closed
        return closed.rcvd.code, closed.rcvd.reason


def objects_of(snapshot: dict) -> dict[int, dict]:
    """The arena's objects in a snapshot, by id."""
    state = websocket.fields(snapshot[15][-1])
    objects = (websocket.fields(value) for value in state.get(4, []))
    return {fields[1][0]: fields for fields in objects}


class Joining(unittest.IsolatedAsyncioTestCase):
    async def test_the_first_message_is_a_welcome_that_names_the_room_and_its_rate(self):
        async with session() as client:
            self.assertEqual(client.subprotocol, "ringcast.v1")
            kind, welcome = await receive(client)
            self.assertEqual(kind, "welcome")
            self.assertEqual(welcome[1], [b"arena"])
            self.assertGreater(welcome[2][0], 0)
            self.assertEqual(welcome[3], [60])
            self.assertGreater(welcome[6][0], 0)

    async def test_the_full_state_comes_next_and_then_ticks_rise(self):
        async with session() as client:
            _, welcome = await receive(client)
            kind, first = await receive(client)
            self.assertEqual(kind, "snapshot")
            self.assertGreaterEqual(len(objects_of(first)), 50)
            # The state before the step of the tick in which the session joined.
            self.assertEqual(websocket.tick_of(first), welcome[4][0] - 1)
            newest = await receive_kind(client, "snapshot")
            self.assertGreater(websocket.tick_of(newest), websocket.tick_of(first))
            for _ in range(30):
                snapshot = await receive_kind(client, "snapshot")
                self.assertGreater(websocket.tick_of(snapshot), websocket.tick_of(newest))
                self.assertGreater(snapshot[2][0], newest[2][0])
                newest = snapshot

    async def test_objects_move_from_snapshot_to_snapshot(self):
        async with session() as client:
            before = objects_of(await receive_kind(client, "snapshot"))
            for _ in range(10):
                await receive_kind(client, "snapshot")
            after = objects_of(await receive_kind(client, "snapshot"))
            moved = [key for key in before if key in after and before[key] != after[key]]
            self.assertGreater(len(moved), len(before) // 2)

    async def test_two_members_of_a_room_have_different_ids_and_see_the_same_ticks(self):
        async with session() as one, session() as other:
            one_welcome = await receive_kind(one, "welcome")
            other_welcome = await receive_kind(other, "welcome")
            self.assertNotEqual(one_welcome[2], other_welcome[2])

            async def payloads(client):
                # The full state is the newcomer's own: it shows who joined within the tick.
                await receive_kind(client, "snapshot")
                snapshots = [await receive_kind(client, "snapshot") for _ in range(60)]
                return {websocket.tick_of(snapshot): snapshot[15] for snapshot in snapshots}

            ours, theirs = await asyncio.gather(payloads(one), payloads(other))
            shared = ours.keys() & theirs.keys()
            self.assertGreater(len(shared), 10)
            for tick in shared:
                self.assertEqual(ours[tick], theirs[tick])


class Playing(unittest.IsolatedAsyncioTestCase):
    async def own_object(self, client, member: int) -> int:
        """The id of the object that a member steers: the event of its creation tells."""
        while True:
            event = await receive_kind(client, "event")
            created = websocket.fields(event[15][-1]).get(1)
            if created:
                created = websocket.fields(created[-1])
                if created.get(2) == [member]:
                    return websocket.fields(created[1][-1])[1][0]

    async def test_an_input_steers_the_members_own_object(self):
        async with session() as client:
            welcome = await receive_kind(client, "welcome")
            own = await self.own_object(client, welcome[2][0])
            for direction in (1.0, -1.0):
                for _ in range(300):
                    snapshot = await receive_kind(client, "snapshot")
                    await client.send(websocket.arena_input(direction, 0.0, websocket.tick_of(snapshot)))
                    speed = objects_of(snapshot).get(own, {}).get(4, [0])[0]
                    if websocket.signed(speed) * direction > 0:
                        break
                else:
                    self.fail(f"the object never moved towards {direction}")

    async def test_the_others_are_told_when_a_session_ends(self):
        async with session() as witness:
            await receive_kind(witness, "welcome")
            async with session() as leaver:
                member = (await receive_kind(leaver, "welcome"))[2][0]
            while True:
                event = await receive_kind(witness, "event")
                ended = websocket.fields(event[15][-1]).get(3)
                if ended and websocket.fields(ended[-1]).get(1) == [member]:
                    break

    async def test_events_of_the_room_are_numbered_without_a_gap_from_the_welcome_on(self):
        async with session() as client:
            before = (await receive_kind(client, "welcome")).get(8, [0])[0]
            for _ in range(5):
                async with session() as passer_by:
                    await receive_kind(passer_by, "welcome")
            numbers = []
            while len(numbers) < 8:
                sequence = (await receive_kind(client, "event")).get(1, [0])[0]
                if sequence:  # 0: an event to this member alone
                    numbers.append(sequence)
            self.assertEqual(numbers, list(range(before + 1, before + 9)))

    async def test_a_ping_before_the_welcome_is_answered_behind_it(self):
        async with session() as client:
            await client.send(websocket.field(3, websocket.fixed64(1, 123_456_789)))
            self.assertEqual((await receive(client))[0], "welcome")
            self.assertEqual((await receive_kind(client, "pong"))[1], [123_456_789])

    async def test_a_ping_in_an_envelope_is_answered_with_its_own_time(self):
        async with session() as client:
            await receive_kind(client, "welcome")
            await client.send(websocket.field(3, websocket.fixed64(1, 123_456_789)))
            pong = await receive_kind(client, "pong")
            self.assertEqual(pong[1], [123_456_789])
            self.assertGreater(pong[2][0], 0)


class Control(unittest.IsolatedAsyncioTestCase):
    async def test_a_websocket_ping_is_answered_with_its_payload(self):
        async with session() as client:
            answered = await client.ping(b"still there?")
            await asyncio.wait_for(answered, harness.WAIT_SECONDS)

    async def test_a_close_is_answered_with_its_code(self):
        for code in (1000, 1001, 3000, 4999):
            with self.subTest(code=code):
                async with session() as client:
                    await client.close(code, "bye")
                    self.assertEqual(client.close_code, code)

    async def test_compression_is_offered_and_politely_not_taken(self):
        async with session("/rooms/echo", compression="deflate", subprotocols=None) as client:
            message = "x" * 1000
            await client.send(message)
            self.assertEqual(await asyncio.wait_for(client.recv(), harness.WAIT_SECONDS), message)


class Echo(unittest.IsolatedAsyncioTestCase):
    async def returned(self, client, message):
        await client.send(message)
        return await asyncio.wait_for(client.recv(), harness.WAIT_SECONDS)

    async def test_it_accepts_a_client_that_offers_no_subprotocol(self):
        async with session("/rooms/echo", subprotocols=None) as client:
            self.assertIsNone(client.subprotocol)
            self.assertEqual(await self.returned(client, "hello"), "hello")

    async def test_it_returns_text_and_binary_of_every_header_size_unchanged(self):
        async with session("/rooms/echo") as client:
            for size in (0, 1, 125, 126, 127, 65535, 65536):
                with self.subTest(size=size):
                    binary = bytes(index % 251 for index in range(size))
                    self.assertEqual(await self.returned(client, binary), binary)
                    text = "ä" * (size // 2)
                    self.assertEqual(await self.returned(client, text), text)

    async def test_it_returns_a_fragmented_message_whole(self):
        async with session("/rooms/echo") as client:
            self.assertEqual(await self.returned(client, ["one ", "two ", "end"]), "one two end")
            self.assertEqual(await self.returned(client, [b"\x00", b"", b"\xff"]), b"\x00\xff")


class Misuse(unittest.IsolatedAsyncioTestCase):
    async def test_a_malformed_envelope_ends_that_session_with_1007_and_no_other(self):
        async with session() as bystander:
            await receive_kind(bystander, "welcome")
            malformed = server.metric("messages_malformed_total")
            async with session() as offender:
                await offender.send(b"\xff\xff\xff")
                code, reason = await close_of(offender)
                self.assertEqual(code, 1007)
                self.assertNotEqual(reason, "")
            self.assertEqual(server.metric("messages_malformed_total"), malformed + 1)
            for _ in range(30):
                await receive_kind(bystander, "snapshot")

    async def test_a_malformed_arena_input_ends_that_session_with_1007(self):
        async with session() as client:
            await client.send(websocket.field(2, websocket.field(15, b"\xff\xff")))
            self.assertEqual((await close_of(client))[0], 1007)

    async def test_text_in_a_room_of_envelopes_ends_the_session_with_1003(self):
        async with session() as client:
            await client.send("hello")
            self.assertEqual((await close_of(client))[0], 1003)

    async def test_a_message_over_the_limit_ends_the_session_with_1009(self):
        async with session("/rooms/echo") as client:
            await client.send(b"x" * 65537)
            self.assertEqual((await close_of(client))[0], 1009)


if __name__ == "__main__":
    unittest.main()
