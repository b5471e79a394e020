"""Pauses between the tries of commands that were lost: what was lost together is not to be repeated together.

A connection takes all that is under way with it. Repeated after the same pause, on one connection, all of it would be
lost together again where connections are cut often.
"""

from __future__ import annotations

import asyncio
import random


async def pause(seconds: float) -> None:
    """Sleep for about so long: up to a half longer or shorter."""
    await asyncio.sleep(seconds * (0.5 + random.random()))  # noqa: S311 - jitter
