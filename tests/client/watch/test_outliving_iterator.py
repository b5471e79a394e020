"""What a watch of one job and of many share: one stream at a time, and the next one after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headgate_client.rpc.options import ClientOptions, WatchOptions
from headgate_client.rpc.stream import Stream
from headgate_client.rpc.unary_caller import UnaryCaller
from headgate_client.watch.outliving_iterator import OutlivingIterator
from headgate_client.watch.reconnecting import Reconnecting


class Scripted:
    """A call that says some numbers, and then nothing more."""

    def __init__(self, numbers: list[int]) -> None:
        self._numbers = numbers
        self.cancelled = False

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in self._numbers:
            yield number
        await asyncio.Event().wait()

    def cancel(self) -> bool:
        self.cancelled = True
        return True


class Numbers(OutlivingIterator[int, int]):
    """Odd numbers are items."""

    def __init__(self, calls: list[Scripted]) -> None:
        super().__init__(Reconnecting(UnaryCaller(ClientOptions()), WatchOptions(), None))
        self._calls = iter(calls)

    def _opened(self) -> Stream[int]:
        return Stream(next(self._calls), "Count", 60.0)

    async def _next(self) -> int | None:
        number = await self._read()
        return number if number is not None and number % 2 else None


async def test_messages_that_are_no_items_are_left_out() -> None:
    numbers = Numbers([Scripted([2, 3, 4, 5])])

    assert [await anext(numbers), await anext(numbers)] == [3, 5]


async def test_a_read_that_is_cancelled_ends_its_stream_and_the_next_read_opens_another() -> None:
    first, second = Scripted([1]), Scripted([7])
    numbers = Numbers([first, second])
    assert await anext(numbers) == 1

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(numbers)

    assert first.cancelled
    assert await anext(numbers) == 7


async def test_a_closed_iterator_ends_and_closes_its_stream() -> None:
    call = Scripted([1, 3])
    async with Numbers([call]) as numbers:
        assert await anext(numbers) == 1

    assert call.cancelled
    assert [number async for number in numbers] == []
