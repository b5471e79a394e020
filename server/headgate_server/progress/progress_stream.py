"""Long work of a stream: its progress is sent while it goes on, and it ends with its caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

LOOK_SECONDS: Final = 0.25
"""Seconds between two looks whether the work has moved on."""

SILENT_LOOKS: Final = 40
"""After so many looks without a change, progress is sent all the same."""


async def with_progress(
    work: Coroutine[Any, Any, Result], standing: Callable[[], object], send: Callable[[], Awaitable[None]]
) -> Result:
    """Do the work and give its result; a call that is cancelled cancels the work, and waits for its end.

    Args:
        work: what is to be done; its errors are raised.
        standing: how far it is, as a value that differs when it has moved on.
        send: sends the present progress: at once, whenever it has moved on, and now and then.
    """
    task = asyncio.create_task(work)
    try:
        await _send_until_done(task, standing, send)
        return await task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _send_until_done(
    task: asyncio.Task[Any], standing: Callable[[], object], send: Callable[[], Awaitable[None]]
) -> None:
    sent, silent = object(), 0
    while not task.done():
        now = standing()
        silent += 1
        if now != sent or silent >= SILENT_LOOKS:
            await send()
            sent, silent = now, 0
        await asyncio.wait([task], timeout=LOOK_SECONDS)
