"""Commands that are sent again when their reply is lost."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from headgate_redis import backoff
from headgate_server.errors.exceptions import StoreFull
from headgate_server.store.errors import StoreReplyLost, translated

PAUSES: Final = (0.02, 0.1, 0.3, 0.6)
"""Seconds before a lost command is sent again; after the last one the store counts as unavailable."""

PATIENCE_SECONDS: Final = 2.0
"""After this long no command is sent again: a store that hangs would otherwise hold every caller for many timeouts."""


async def retry_lost_reply(action: Callable[[], Awaitable[Any]]) -> tuple[Any, bool]:
    """The reply of a repeatable action, and whether it took more than one try."""
    started = time.monotonic()
    for tries, pause in enumerate((0.0, *PAUSES)):
        if pause:
            await backoff.pause(pause)
        try:
            with translated():
                return await action(), tries > 0
        except StoreReplyLost:
            if time.monotonic() - started > PATIENCE_SECONDS:
                break
        except StoreFull:
            if tries == 0:
                raise
            break  # a try before this one may have been done
    raise StoreReplyLost("no reply")
