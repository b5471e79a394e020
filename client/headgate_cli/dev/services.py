"""One of our processes as a child: started, known to be ready, stopped."""

import asyncio
import re
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from headgate_cli.dev.child_process import Child

READY_TIMEOUT = 30.0
"""Seconds a process may take until it is ready; generous, since a laptop may be busy."""

NamedLineSink = Callable[[str, str], None]
"""Gets the name of a process and a line that it wrote."""


class ServiceFailedError(RuntimeError):
    """A process did not get ready, or ended by itself; the message carries its last lines."""


@dataclass(frozen=True, slots=True)
class ServiceLaunch:
    """How to start a process.

    Args:
        name: what to call it in output.
        arguments: what to run with this Python, such as ("-m", "headgate_cli", "server").
        environment: its whole environment.
        ready: what the line looks like that says it is ready; its groups are the addresses.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    ready: re.Pattern[str]


class Service:
    """A running process. `addresses` are those of its ready line, by group name."""

    def __init__(self, launch: ServiceLaunch, on_line: NamedLineSink) -> None:
        self.name = launch.name
        self.addresses: Mapping[str, str] = {}
        self._launch = launch
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=12)
        self._ready = asyncio.get_running_loop().create_future()
        self._child: Child | None = None

    @classmethod
    async def start(cls, launch: ServiceLaunch, on_line: NamedLineSink) -> Self:
        """Start the process and return when it is ready.

        Raises ServiceFailedError when it ends before that, or takes longer than READY_TIMEOUT.
        """
        service = cls(launch, on_line)
        argv = (sys.executable, *launch.arguments)
        child = await Child.spawn(launch.name, argv, on_line=service._read, env=launch.environment)
        service._child = child
        try:
            await service._wait_ready(child)
        except BaseException:
            await child.kill()
            raise
        return service

    @property
    def pid(self) -> int:
        """Process id, also after the end."""
        return self._running.pid

    async def stop(self, *, grace: float) -> int:
        """Ask it to end, make it end after `grace` seconds, and return its exit status."""
        return await self._running.stop(grace=grace)

    async def ended(self) -> str:
        """Wait until it ends by itself, and return what to say about that."""
        status = await self._running.wait()
        return self._story(f"{self.name} ended with status {status}")

    @property
    def _running(self) -> Child:
        assert self._child is not None  # noqa: S101 - start has set it
        return self._child

    async def _wait_ready(self, child: Child) -> None:
        ended = asyncio.ensure_future(child.wait())
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                await asyncio.wait((self._ready, ended), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise ServiceFailedError(self._story(f"{self.name} was not ready in time")) from None
        finally:
            ended.cancel()
        if not self._ready.done():
            raise ServiceFailedError(self._story(f"{self.name} ended with status {child.returncode}"))

    def _read(self, line: str) -> None:
        self._lines.append(line)
        self._on_line(self.name, line)
        if not self._ready.done() and (found := self._launch.ready.search(line)):
            self.addresses = found.groupdict()
            self._ready.set_result(None)

    def _story(self, what: str) -> str:
        return "\n".join((what, *(f"  {line}" for line in self._lines)))
