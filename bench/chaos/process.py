"""One process of the stage: started, known to be ready, killed, paused, stopped; always by its own pid."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from headgate_cli.dev.child_process import Child

READY_SECONDS = 60.0
"""How long a process may take until it is ready; two busy cores are slow."""

KEPT_LINES = 5_000
"""Lines of output that are kept for the criteria that read them."""


class NotReady(RuntimeError):
    """A process ended, or printed nothing, before it was ready; the message carries its last lines."""


@dataclass(frozen=True, slots=True)
class ProcessLaunch:
    """How to start a process.

    Args:
        name: what to call it.
        module: what `python -m` runs.
        ready: what the line looks like that says it is ready; its groups are the addresses.
        environment: its whole environment.
        arguments: what follows on its command line.
    """

    name: str
    module: str
    ready: re.Pattern[str]
    environment: Mapping[str, str] = field(repr=False)
    arguments: tuple[str, ...] = ()


class Process:
    """A running process. `addresses` are those of its ready line."""

    def __init__(self, launch: ProcessLaunch) -> None:
        self.name = launch.name
        self.addresses: Mapping[str, str] = {}
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.expected_to_end = False
        self._launch = launch
        self._ready = asyncio.Event()
        self._child: Child | None = None

    @classmethod
    async def start(cls, launch: ProcessLaunch) -> Self:
        """Start it and return when it is ready. Raises NotReady."""
        process = cls(launch)
        await process.spawn()
        try:
            await process._until_ready()
        except BaseException:
            await process.kill()
            raise
        return process

    async def spawn(self) -> None:
        """Start it without waiting until it is ready."""
        argv = (sys.executable, "-m", self._launch.module, *self._launch.arguments)
        environment = {**self._launch.environment, "PYTHONUNBUFFERED": "1"}
        self._child = await Child.spawn(self.name, argv, on_line=self._read, env=environment)

    @property
    def pid(self) -> int:
        """Process id, also after the end."""
        return self._running.pid

    @property
    def returncode(self) -> int | None:
        """Exit status; None while it runs."""
        return self._running.returncode

    def strike(self) -> None:
        """SIGKILL, without waiting for the end."""
        self.expected_to_end = True
        self._running.send_signal(signal.SIGKILL)

    async def kill(self) -> int:
        """SIGKILL; returns when it is gone."""
        self.expected_to_end = True
        return await self._running.kill()

    async def stop(self, *, grace: float = 20.0) -> int:
        """SIGTERM, and SIGKILL after the grace; the exit status."""
        self.expected_to_end = True
        return await self._running.stop(grace=grace)

    async def wait(self) -> int:
        """Wait until it ends by itself."""
        self.expected_to_end = True
        return await self._running.wait()

    def pause(self) -> None:
        """SIGSTOP."""
        self._running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._running.send_signal(signal.SIGCONT)

    def block(self) -> None:
        """SIGUSR1, at which a process of `blockable` blocks its event loop."""
        self._running.send_signal(signal.SIGUSR1)

    def said(self, text: str) -> int:
        """How many of the kept lines contain a text."""
        return sum(text in line for line in self.lines)

    @property
    def _running(self) -> Child:
        if self._child is None:
            raise NotReady(f"{self.name} was never started")
        return self._child

    async def _until_ready(self) -> None:
        ended = asyncio.ensure_future(self._running.wait())
        ready = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait((ended, ready), timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (ended, ready):
            waiting.cancel()
        if not self._ready.is_set():
            tail = "\n  ".join(list(self.lines)[-12:])
            raise NotReady(f"{self.name} did not get ready:\n  {tail}")

    def _read(self, line: str) -> None:
        self.lines.append(line)
        if not self._ready.is_set() and (found := self._launch.ready.search(line)):
            self.addresses = found.groupdict()
            self._ready.set()
