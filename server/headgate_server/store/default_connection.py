"""Which connection the empty name stands for, by what workers announce; followed while the process runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from headgate.store import connection_names
from headgate_server.errors.exceptions import ServerError

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""How often it is looked at; an operator changes it by giving every worker another file."""


class DefaultConnection:
    """The default connection's own name. `run` must be running.

    Args:
        read: reads it from the store; empty where it has none, or no worker has announced one.

    Functions in `on_change` are called with each new name.
    """

    def __init__(self, read: Callable[[], Awaitable[str]]) -> None:
        self._read = read
        self.name = ""
        self.on_change: list[Callable[[str], None]] = []

    async def run(self) -> None:
        """Follow it until cancelled; while the store can't be read it stays."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Read it, if it can be read."""
        try:
            self._take(await self._read())
        except ServerError as error:
            _log.debug("the default connection can't be looked at: %s", type(error).__name__)
        except Exception:
            _log.exception("the default connection can't be looked at")

    def _take(self, found: str) -> None:
        if found != self.name:
            _log.info("the default connection is %s", found or "one without a name of its own")
            self.name = found
            for told in self.on_change:
                told(found)

    def resolved(self, name: str) -> str:
        """The name of a connection that a caller names."""
        return connection_names.resolved(name, self.name)

    def resolve(self, request: Any) -> None:
        """Put its name into a request that names the default connection by the empty name."""
        if not request.connection and self.name:
            request.connection = self.name
