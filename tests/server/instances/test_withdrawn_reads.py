"""Reads that nobody waits for are taken out of the lane, many with one call."""

import asyncio
import logging

import pytest

from headgate_server.errors.exceptions import StoreUnavailable
from headgate_server.instances.withdrawn_reads import BATCH, WithdrawnReads


class Lane:
    """A lane that keeps what is taken out of it, and fails as often as it is told."""

    def __init__(self, *errors: Exception) -> None:
        self.batches: list[list[str]] = []
        self._errors = list(errors)
        self.done = asyncio.Event()

    async def withdraw(self, entry_ids: list[str]) -> None:
        await asyncio.sleep(0)
        self.batches.append(entry_ids)
        self.done.set()
        if self._errors:
            raise self._errors.pop()


async def until_taken_out(lane: Lane, count: int) -> None:
    async with asyncio.timeout(5):
        while sum(map(len, lane.batches)) < count:
            lane.done.clear()
            await lane.done.wait()


async def test_entries_that_are_given_up_together_are_one_call() -> None:
    lane = Lane()
    reads = WithdrawnReads(lane)

    for number in range(BATCH + 1):
        reads.add(str(number))
    await until_taken_out(lane, BATCH + 1)

    assert [len(batch) for batch in lane.batches] == [BATCH, 1]
    assert [entry for batch in lane.batches for entry in batch] == [str(number) for number in range(BATCH + 1)]


async def test_one_that_comes_after_the_others_were_taken_out_is_taken_out_too() -> None:
    lane = Lane()
    reads = WithdrawnReads(lane)
    reads.add("a")
    await until_taken_out(lane, 1)
    await asyncio.sleep(0)

    reads.add("b")
    await until_taken_out(lane, 2)

    assert lane.batches == [["a"], ["b"]]


@pytest.mark.parametrize("error", [StoreUnavailable(), RuntimeError("a fault of ours")])
async def test_a_store_in_trouble_loses_one_batch_and_is_told(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    lane = Lane(error)
    reads = WithdrawnReads(lane)

    reads.add("a")
    await until_taken_out(lane, 1)
    await asyncio.sleep(0)
    reads.add("b")
    await until_taken_out(lane, 2)

    assert lane.batches == [["a"], ["b"]]
    assert [row.levelno for row in caplog.records] == [
        logging.WARNING if isinstance(error, StoreUnavailable) else logging.ERROR
    ]
