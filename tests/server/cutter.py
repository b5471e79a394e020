"""A TCP proxy before Redis that can swallow what is sent, or the reply to it, and then hang up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

Cut = Literal["request", "reply"]


class Cutter:
    """Swallows once: arm it with what to swallow, and with a mark in the request that it is about."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._armed: tuple[Cut, bytes] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self.cuts = 0

    def arm(self, what: Cut, mark: bytes) -> None:
        self._armed = (what, mark)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers += [writer, back]
        swallowing = asyncio.Event()
        ways = (self._requests(reader, back, writer, swallowing), self._replies(there, writer, back, swallowing))
        self._tasks |= {asyncio.create_task(way) for way in ways}

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
        swallowing: asyncio.Event,
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                what, mark = self._armed or ("", b"\0\0")
                hit = mark in data
                if hit:
                    self._armed = None
                    self.cuts += 1
                if hit and what == "request":
                    break
                if hit:
                    swallowing.set()
                back.write(data)
                await back.drain()
        if not swallowing.is_set():
            writer.close()
            back.close()

    async def _replies(
        self,
        there: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        swallowing: asyncio.Event,
    ) -> None:
        with suppress(ConnectionError):
            while data := await there.read(65536):
                if swallowing.is_set():
                    break
                writer.write(data)
                await writer.drain()
        writer.close()
        back.close()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)


@asynccontextmanager
async def cutting(target_port: int) -> AsyncIterator[Cutter]:
    cutter = Cutter(target_port)
    server = await asyncio.start_server(cutter.connect, "127.0.0.1", 0)
    cutter.port = server.sockets[0].getsockname()[1]
    try:
        yield cutter
    finally:
        server.close()
        await cutter.close()
