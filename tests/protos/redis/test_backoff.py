"""Repeats of what was lost together go apart."""

from __future__ import annotations

import pytest

from headgate_redis import backoff


async def test_pauses_of_one_length_differ_within_a_half_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    for _ in range(100):
        await backoff.pause(2.0)

    assert all(1.0 <= seconds <= 3.0 for seconds in slept)
    assert len(set(slept)) > 90
    assert max(slept) - min(slept) > 1.0
