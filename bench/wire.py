"""A proxy on the way to the cloud that notes when a word passed for the first time."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self


class Wire:
    """A TCP relay on loopback, as an async context manager; `url` is what callers are given."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition("//")[2].rpartition(":")
        self._target = (host, int(port))
        self._words: dict[bytes, float] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Where callers go."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def expect(self, word: str) -> None:
        """Begin to look for a word."""
        self._words[word.encode()] = 0.0

    def seen(self, word: str) -> float:
        """When the word went by, by the monotonic clock; 0 while it has not."""
        return self._words[word.encode()]

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        for task in (self._pump(reader, back, look=True), self._pump(there, writer, look=False)):
            made = asyncio.create_task(task)
            self._tasks.add(made)
            made.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, look: bool) -> None:
        try:
            while data := await reader.read(65_536):
                if look:
                    self._look(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    def _look(self, data: bytes) -> None:
        for word, at in self._words.items():
            if not at and word in data:
                self._words[word] = time.monotonic()
