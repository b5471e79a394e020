"""A running emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate_emulator.app import RunningEmulator, serve
from headgate_emulator.settings import Settings


@pytest.fixture
async def emulator() -> AsyncIterator[RunningEmulator]:
    """An emulator whose clock stands still."""
    async with serve(Settings(listen="127.0.0.1:0", time_scale=0, start_ms=1_739_022_200_000)) as running:
        yield running
