"""A TCP proxy that misbehaves on request: latency, black hole, cuts, and cuts around a token with the reply dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Self

from bench.chaos.waiting import until_true

CHUNK = 1 << 16

LONGEST_MUTE_SECONDS = 600.0
"""After this long what was held back is passed on in any case."""

Struck = Callable[[bytes], bool]


class Side(Enum):
    """On which side of the token the connection is cut."""

    BEFORE = auto()
    """What carries the token never arrives."""
    AFTER = auto()
    """It arrives and is executed; its reply is dropped."""


@dataclass(slots=True)
class TokenCut:
    """Cut a connection when a token passes.

    Args:
        token: bytes on their way to the target.
        side: where to cut.
        every: which occurrence is struck: 1 for each, 10 for one in 10.
        count: how many are struck at most.
        struck: given the target's answer before it is dropped; False passes it on after all.
        others: more tokens, of the same length, which count as it does.
    """

    token: bytes
    side: Side
    every: int = 1
    count: int = 1_000_000
    struck: Struck | None = None
    others: tuple[bytes, ...] = ()
    seen: int = 0
    done: int = 0

    def strikes(self, window: bytes, known: int) -> bool:
        """Whether to strike, given new bytes and how many before them were looked at already."""
        tokens = (self.token, *self.others)
        found = sum(window.count(token) - window[:known].count(token) for token in tokens)
        before, self.seen = self.seen, self.seen + found
        due = found > 0 and self.seen // self.every > before // self.every and self.done < self.count
        self.done += due
        return due

    def confirmed(self, reply: bytes) -> bool:
        """Whether to drop the answer and cut, now that it is known."""
        if self.struck is None or self.struck(reply):
            return True
        self.done -= 1
        return False


@dataclass(slots=True, eq=False)
class _Link:
    client: asyncio.StreamWriter
    target: asyncio.StreamWriter
    dropping: TokenCut | None = None

    def close(self) -> None:
        for writer in (self.client, self.target):
            if writer.transport is not None:
                writer.transport.abort()


class Proxy:
    """A proxy on a free loopback port, as an async context manager. Its faults are attributes, changed at any time.

    Attributes:
        latency: seconds that each chunk is held back, each way.
        blackhole: whether bytes are swallowed, silently.
        mute: whether what the target says is held back, as by a network that carries one way only.
        refuse: whether new connections are closed at once.
        cut: what to cut around.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self.latency = 0.0
        self.blackhole = False
        self.mute = False
        self.refuse = False
        self.cut: TokenCut | None = None
        self.cuts = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._server is None:
            raise RuntimeError("the proxy is not open")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """Where it listens, as an address of Redis."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Reset every connection."""
        self.cuts += len(self._links)
        for link in tuple(self._links):
            link.close()

    async def leave(self) -> None:
        """Stop listening and reset every connection, as a target that is not there; `come_back` ends it."""
        self._port = self.port
        if self._server is not None:
            self._server.close()
        self.cut_all()

    async def come_back(self) -> None:
        """Listen again, on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, target_writer)
        self._links.add(link)
        try:
            await self._carry(link, reader, target_reader)
        finally:
            self._links.discard(link)
            link.close()

    async def _carry(self, link: _Link, reader: asyncio.StreamReader, target_reader: asyncio.StreamReader) -> None:
        if self.refuse:
            return
        ways = (
            asyncio.ensure_future(self._forth(link, reader)),
            asyncio.ensure_future(self._back(link, target_reader)),
        )
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _forth(self, link: _Link, reader: asyncio.StreamReader) -> None:
        tail = b""
        while chunk := await reader.read(CHUNK):
            cut = self.cut
            if cut is not None:
                window = tail + chunk
                if cut.strikes(window, len(tail)):
                    if cut.side is Side.BEFORE:
                        return
                    link.dropping = cut
                tail = window[-(len(cut.token) - 1) :]
            await self._pass_on(link.target, chunk)

    async def _back(self, link: _Link, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(CHUNK):
            if link.dropping is not None:
                if link.dropping.confirmed(chunk):
                    return
                link.dropping = None
            await until_true(lambda: not self.mute, LONGEST_MUTE_SECONDS)
            await self._pass_on(link.client, chunk)

    async def _pass_on(self, writer: asyncio.StreamWriter, chunk: bytes) -> None:
        if self.latency:
            await asyncio.sleep(self.latency)
        if not self.blackhole:
            writer.write(chunk)
            await writer.drain()
