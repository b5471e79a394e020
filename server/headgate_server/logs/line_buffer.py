"""Lines of one logger that are written together, once for each turn of the event loop: many calls end in one turn.

A record, its formatting and a write for each line would cost more than all other logging of a call. What waits is
bounded, and is written before the process ends. Other lines may overtake those that wait.
"""

from __future__ import annotations

import asyncio
import atexit
import time
from collections.abc import Callable
from typing import Final, Protocol

MOST_WAITING: Final = 64
"""Lines that are written without waiting for the end of the turn."""

Form = Callable[[float, str], str]
"""Makes a line of the time, in seconds since 1970, and the message."""


class LogStream(Protocol):
    """Port: where lines go."""

    def write(self, text: str, /) -> object:
        """Take text."""

    def flush(self) -> object:
        """Let what was taken go out."""


class LineBuffer:
    """Lines on their way to a stream.

    Args:
        stream: where they go.
        form: how a line looks.
    """

    def __init__(self, stream: LogStream, form: Form) -> None:
        self._stream = stream
        self._form = form
        self._waiting: list[str] = []
        atexit.register(self.flush)

    def write(self, message: str) -> None:
        """Have a message written as a line, in this turn of the loop; at once where no loop runs."""
        waiting = self._waiting
        waiting.append(self._form(time.time(), message))
        if len(waiting) == 1:
            self._end_of_turn()
        elif len(waiting) >= MOST_WAITING:
            self.flush()

    def _end_of_turn(self) -> None:
        try:
            asyncio.get_running_loop().call_soon(self.flush)
        except RuntimeError:
            self.flush()

    def flush(self) -> None:
        """Write what waits. A stream that is closed or broken takes nothing, as it does of all other lines."""
        if not self._waiting:
            return
        text = "\n".join([*self._waiting, ""])
        self._waiting.clear()
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            return
