"""A gRPC client of few instructions, so that measuring a server costs little beside it.

It speaks just enough HTTP/2 for calls whose requests are small: header blocks are prepared once, replies are cut into
frames and messages, and a call counts as done well only when its trailers say grpc-status 0. Deadlines are sent as a
careful client does. No TLS.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
WINDOW: Final = 2**31 - 1
REFILL: Final = 2**29
"""Bytes after which the connection's window is opened again."""

STATUS_OK: Final = b"grpc-status\x010"

_HEAD: Final = struct.Struct(">HBBBI")


class CallRefused(Exception):
    """The server ended the connection or a call did not end well; the message says how."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame."""
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def _text(value: str) -> bytes:
    raw = value.encode("ascii")
    if len(raw) > 126:
        raise ValueError(f"a header of {len(raw)} characters is too long for this client")
    return bytes((len(raw),)) + raw


def header_blocks(path: str, authority: str, timeout: str = "30S") -> tuple[bytes, bytes]:
    """The header block of a connection's first call, and of every later one: by then the server knows the words."""
    named = (
        b"\x44" + _text(path),
        b"\x41" + _text(authority),
        b"\x5f" + _text("application/grpc"),
        b"\x40" + _text("te") + _text("trailers"),
        b"\x7a" + _text("headgate-bench"),
        b"\x40" + _text("grpc-timeout") + _text(timeout),
    )
    known = bytes(0x80 | 61 + len(named) - place for place in range(len(named)))
    return b"\x83\x86" + b"".join(named), b"\x83\x86" + known


class Http2Connection:
    """One connection to one method. Replies are handed to two callbacks.

    Args:
        host: IPv4 address or name.
        path: "/package.Service/Method".
        on_message: called with stream and message.
        on_end: called with the stream, after its call has ended well.
        timeout: the deadline of each call, as grpc-timeout says it.
    """

    def __init__(
        self,
        host: str,
        port: int,
        path: str,
        *,
        on_message: Callable[[int, bytes], None],
        on_end: Callable[[int], None],
        timeout: str = "30S",
    ) -> None:
        self._first, self._later = header_blocks(path, f"{host}:{port}", timeout)
        self._on_message = on_message
        self._on_end = on_end
        self._rest = b""
        self._pieces: dict[int, bytes] = {}
        self._received = 0
        self._next = 1
        self._may_send = 65_535
        self.socket = socket.create_connection((host, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own = struct.pack(">HIHIHI", 1, 0, 2, 0, 4, WINDOW)
        opening = frame(SETTINGS, 0, 0, own) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - 65_535))
        self.socket.sendall(PREFACE + opening)

    def request(self, body: bytes) -> tuple[int, bytes]:
        """The stream of a new call, and the bytes that make it; several of them can be sent at once."""
        stream, self._next = self._next, self._next + 2
        block = self._first if stream == 1 else self._later
        message = b"\x00" + struct.pack(">I", len(body)) + body
        self._may_send -= len(message)
        if self._may_send < 0:
            raise CallRefused("the server's window is closed: too much is in flight")
        headers = frame(HEADERS, END_HEADERS, stream, block)
        return stream, headers + frame(DATA, END_STREAM, stream, message)

    def call(self, body: bytes) -> int:
        """Send a call; its stream."""
        stream, raw = self.request(body)
        self.socket.sendall(raw)
        return stream

    def receive(self) -> None:
        """Read what is there, waiting for something, and hand it over."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise CallRefused("the server closed the connection")
        data = self._rest + data if self._rest else data
        position, end = 0, len(data)
        while end - position >= 9:
            size = data[position] << 16 | data[position + 1] << 8 | data[position + 2]
            stop = position + 9 + size
            if stop > end:
                break
            stream = int.from_bytes(data[position + 5 : position + 9], "big")
            self._frame(data[position + 3], data[position + 4], stream, data[position + 9 : stop])
            position = stop
        self._rest = data[position:]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            self._data(stream, payload)
        elif kind == HEADERS:
            if flags & END_STREAM:
                self._ended(stream, payload)
        elif kind == RST_STREAM:
            if any(payload):  # without an error it follows an answer that came before the request's end
                raise CallRefused(f"the server reset a call: error {int.from_bytes(payload, 'big')}")
        elif kind == GOAWAY:
            raise CallRefused(f"the server said goodbye: {payload[8:100]!r}")
        else:
            self._housekeeping(kind, flags, stream, payload)

    def _housekeeping(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE and stream == 0:
            self._may_send += int.from_bytes(payload, "big")
        elif kind == PING and not flags & ACK:
            self.socket.sendall(frame(PING, ACK, 0, payload))
        elif kind == SETTINGS and not flags & ACK:
            self.socket.sendall(frame(SETTINGS, ACK, 0))

    def _data(self, stream: int, payload: bytes) -> None:
        self._received += len(payload)
        if self._received > REFILL:
            self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self._received)))
            self._received = 0
        if stream in self._pieces:
            payload = self._pieces.pop(stream) + payload
        while len(payload) >= 5:
            stop = 5 + int.from_bytes(payload[1:5], "big")
            if len(payload) < stop:
                break
            self._on_message(stream, payload[5:stop])
            payload = payload[stop:]
        if payload:
            self._pieces[stream] = payload

    def _ended(self, stream: int, trailers: bytes) -> None:
        if STATUS_OK not in trailers:
            raise CallRefused(f"a call failed: {trailers[:300]!r}")
        self._on_end(stream)

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()
