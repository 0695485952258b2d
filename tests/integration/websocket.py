"""The least of RFC 6455 and of protobuf that it takes to misbehave on purpose: a raw socket that
has been upgraded, frames written bit by bit, and envelopes read field by field. Nothing here shares
code with the server.
"""

import base64
import contextlib
import dataclasses
import os
import select
import socket
import struct
import threading

import harness

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
# The example of RFC 6455, section 1.3.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def upgrade_request(path: str = "/rooms/arena", method: str = "GET",
                    **changed: str | None) -> bytes:
    """A good upgrade request, with headers replaced by keyword (None leaves one out)."""
    headers = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "ringcast.v1",
    }
    headers.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


def frame(opcode: int, payload: bytes = b"", *, final=True, masked=True, reserved=0,
          declared: int | None = None) -> bytes:
    """A frame; `declared` is a length to claim instead of the payload's."""
    length = len(payload) if declared is None else declared
    first = (0x80 if final else 0) | reserved << 4 | opcode
    mask_bit = 0x80 if masked else 0
    if length < 126:
        head = struct.pack("!BB", first, mask_bit | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, mask_bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, length)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))


def close_payload(code: int, reason: bytes = b"") -> bytes:
    return struct.pack("!H", code) + reason


@dataclasses.dataclass
class Frame:
    opcode: int
    payload: bytes
    final: bool

    @property
    def close_code(self) -> int:
        return struct.unpack("!H", self.payload[:2])[0]


class Connection:
    """An upgraded raw socket; `source` is the address to come from, `ahead` what to send before the
    request."""

    def __init__(self, port: int, path: str = "/rooms/arena", receive_buffer: int | None = None,
                 source: str | None = None, ahead: bytes = b"", **changed: str | None):
        self.socket = socket.socket()
        self.socket.settimeout(harness.WAIT_SECONDS)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._buffer = b""
        try:
            if source is not None:
                self.socket.bind((source, 0))
            self.socket.connect(("127.0.0.1", port))
            self.socket.sendall(ahead + upgrade_request(path, **changed))
            while b"\r\n\r\n" not in self._buffer:
                self._more()
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            self.response = harness.Response(head + b"\r\n\r\n")
            if self.response.status != 101:
                raise AssertionError(f"not upgraded: {self.response.status}")
        except BaseException:
            self.socket.close()
            raise

    def _more(self) -> None:
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        self._buffer += chunk

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> Frame:
        first, second = self._take(2)
        if second & 0x80:
            raise AssertionError("the server masked a frame")
        length = second & 0x7F
        if length == 126:
            length = struct.unpack("!H", self._take(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._take(8))[0]
        return Frame(first & 0x0F, self._take(length), bool(first & 0x80))

    def receive_message(self) -> tuple[bytes, int]:
        """The payload of the next message, and how many frames it came in."""
        received = self.receive()
        payload, frames = [received.payload], 1
        while not received.final:
            received = self.receive()
            if received.opcode != CONTINUATION:
                raise AssertionError(f"opcode {received.opcode} among the fragments of a message")
            payload.append(received.payload)
            frames += 1
        return b"".join(payload), frames

    def receive_opcode(self, opcode: int, frames_max: int = 100_000) -> Frame:
        """Skips what else comes (snapshots, pings) until a frame of that opcode."""
        for _ in range(frames_max):
            if (received := self.receive()).opcode == opcode:
                return received
        raise AssertionError(f"no frame with opcode {opcode} among {frames_max}")

    def receive_close(self) -> Frame:
        return self.receive_opcode(CLOSE)

    def at_end(self) -> bool:
        """Whether nothing but the end of the stream follows."""
        return self._buffer + harness.read_to_end(self.socket) == b""

    def close(self) -> None:
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def reading(*connections: Connection):
    """A thread takes whatever comes to them, and forgets it, while the block runs: who does not read
    gets nothing more once the kernel's buffers are full, a second or two of snapshots."""
    over = threading.Event()

    def read():
        while not over.is_set():
            for ready in select.select([each.socket for each in connections], [], [], 0.1)[0]:
                if not ready.recv(65536):
                    return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()


def fields(message: bytes) -> dict[int, list]:
    """A protobuf message as field number -> values: integers, or bytes for what has a length."""
    found: dict[int, list] = {}
    position = 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(message):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            value = varint()
        elif kind == 1:
            value = struct.unpack_from("<Q", message, position)[0]
            position += 8
        elif kind == 2:
            size = varint()
            value = message[position : position + size]
            position += size
        elif kind == 5:
            value = struct.unpack_from("<I", message, position)[0]
            position += 4
        else:
            raise AssertionError(f"wire type {kind} at byte {position}")
        found.setdefault(tag >> 3, []).append(value)
    return found


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | float | bytes) -> bytes:
    """One field: an integer as a varint, a float as 32 bits, bytes with their length."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def fixed64(number: int, value: int) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def signed(zigzag: int) -> int:
    """A sint32's value."""
    return zigzag >> 1 ^ -(zigzag & 1)


# ServerEnvelope's oneof, by field number (proto/ringcast/v1/envelope.proto).
KINDS = {1: "welcome", 2: "snapshot", 3: "event", 4: "ping", 5: "pong", 6: "error", 7: "going_away",
         10: "token_taken"}


def server_message(envelope: bytes) -> tuple[str, dict[int, list]]:
    """Which message an envelope holds, and its fields."""
    (number, values), = fields(envelope).items()
    return KINDS[number], fields(values[-1])


def tick_of(snapshot: dict[int, list]) -> int:
    """The tick of a snapshot; proto3 leaves out a tick of zero."""
    return snapshot.get(1, [0])[0]


def arena_input(dx: float, dy: float, newest_tick: int = 0) -> bytes:
    """A ClientEnvelope with an ArenaInput."""
    payload = field(1, float(dx)) + field(2, float(dy))
    return field(1, newest_tick) + field(2, field(15, payload))


def token_in(welcome: dict) -> str:
    """The resume token of a welcome, in base64url."""
    return base64.urlsafe_b64encode(bytes(welcome[9][0])).rstrip(b"=").decode()


def resuming(claim: str) -> dict[str, str]:
    """What a request says of who comes back with a token, or with "TOKEN.POSITION"; nothing of a new
    member."""
    return {"Sec_WebSocket_Protocol": f"ringcast.v1, ringcast.resume.{claim}"} if claim else {}


def goodbye(connection: Connection) -> tuple[dict | None, int]:
    """Reads to the close frame and answers it: the going_away message, if any, and the code."""
    going_away = None
    while (received := connection.receive()).opcode != CLOSE:
        if received.opcode == BINARY:
            kind, message = server_message(received.payload)
            if kind == "going_away":
                going_away = message
    connection.send(frame(CLOSE, close_payload(received.close_code)))
    return going_away, received.close_code
