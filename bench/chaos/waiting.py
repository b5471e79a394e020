"""Waiting for conditions, never longer than a bound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

NEVER = float("inf")
"""What a wait answers whose condition did not come true in time."""


async def until(probe: Callable[[], Awaitable[bool]], seconds: float, *, pause: float = 0.05) -> float:
    """Seconds until the probe says yes, asked again after each pause; NEVER when it does not in time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if await probe():
            return time.monotonic() - began
        await asyncio.sleep(pause)
    return NEVER


async def until_true(condition: Callable[[], bool], seconds: float, *, pause: float = 0.05) -> float:
    """The same for a condition without I/O."""

    async def probe() -> bool:
        return condition()

    return await until(probe, seconds, pause=pause)
