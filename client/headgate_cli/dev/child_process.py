"""One child process: tied to this one, its output read line by line, stopped for certain.

A child is started through `parent_death.py`, so it ends with this process whatever kills it, and in a session of its
own, so that Ctrl-C in a terminal reaches only this process, which then stops its children in order.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

_PARENT_DEATH = str(Path(__file__).with_name("parent_death.py"))
_LINE_LIMIT = 1 << 20  # bytes

LineSink = Callable[[str], None]


class Child:
    """A running child process. Make one with `spawn`; every child must be awaited with `stop` or `wait`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, on_line: LineSink) -> None:
        self.name = name
        self._process = process
        self._pump = asyncio.create_task(_pump(process, on_line), name=f"lines of {name}")

    @classmethod
    async def spawn(
        cls,
        name: str,
        argv: Sequence[str],
        *,
        on_line: LineSink,
        env: Mapping[str, str] | None = None,
    ) -> Self:
        """Start `argv` as a child called `name`.

        `on_line` gets every line of its standard output and error, without the line end. `env` is the whole
        environment, absent means this process's. Raises OSError if no process can be started; a command that
        does not exist shows as a child that ends with status 1 and says so in a line.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", _PARENT_DEATH, str(os.getpid()), *argv),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
        return cls(name, process, on_line)

    @property
    def pid(self) -> int:
        """Process id, also after the end."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status; minus the signal number if a signal ended it; None while it runs."""
        return self._process.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; does nothing if the child has ended."""
        if self.returncode is None:
            self._process.send_signal(number)

    async def wait(self) -> int:
        """Wait for the end and for the last line; return the exit status."""
        status = await self._process.wait()
        await asyncio.shield(self._pump)
        return status

    async def stop(self, *, grace: float = 5.0) -> int:
        """Ask the child to end, make it end after `grace` seconds, and return the exit status."""
        self.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                return await self.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """End the child at once with SIGKILL and return the exit status."""
        self.send_signal(signal.SIGKILL)
        return await self.wait()


async def _pump(process: asyncio.subprocess.Process, on_line: LineSink) -> None:
    reader = process.stdout
    assert reader is not None  # noqa: S101 - spawn always asks for a pipe
    while True:
        try:
            line = await reader.readline()
        except ValueError:  # readline has thrown away what exceeded the limit
            on_line("(a line of more than 1 MiB was left out)")
            continue
        if not line:
            return
        on_line(line.decode("utf-8", "replace").rstrip("\r\n"))
