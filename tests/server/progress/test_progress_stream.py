"""Progress is sent at once and when the work moves on; the work ends with its caller."""

from __future__ import annotations

import asyncio

import pytest

from headgate_server.progress import progress_stream
from headgate_server.progress.progress_stream import with_progress


class Work:
    """Work that goes on step by step, as a test says, and what is sent of it."""

    def __init__(self) -> None:
        self.done, self.sent, self.was_cancelled = 0, list[int](), False
        self.step, self.told = asyncio.Event(), asyncio.Event()

    async def run(self, steps: int) -> str:
        try:
            while self.done < steps:
                await self.step.wait()
                self.step.clear()
                self.done += 1
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return "result"

    async def send(self) -> None:
        self.sent.append(self.done)
        self.told.set()

    async def next_sent(self) -> None:
        async with asyncio.timeout(5):
            await self.told.wait()
        self.told.clear()


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_stream, "LOOK_SECONDS", 0.005)


async def test_progress_is_sent_at_once_and_when_the_work_has_moved_on() -> None:
    work = Work()
    call = asyncio.create_task(with_progress(work.run(2), lambda: work.done, work.send))
    await work.next_sent()
    work.step.set()
    await work.next_sent()
    work.step.set()

    assert await call == "result" and work.sent == [0, 1]


async def test_work_that_stands_still_is_told_of_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_stream, "SILENT_LOOKS", 2)
    work = Work()
    call = asyncio.create_task(with_progress(work.run(1), lambda: work.done, work.send))
    for _ in range(3):
        await work.next_sent()
    work.step.set()
    await call

    assert set(work.sent) == {0} and len(work.sent) >= 3


async def test_a_caller_that_leaves_ends_the_work() -> None:
    work = Work()
    call = asyncio.create_task(with_progress(work.run(1), lambda: work.done, work.send))
    await work.next_sent()

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert work.was_cancelled


async def test_an_answer_that_can_not_be_sent_ends_the_work() -> None:
    work = Work()

    async def broken() -> None:
        await asyncio.sleep(0)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await with_progress(work.run(1), lambda: work.done, broken)

    assert work.was_cancelled


async def test_an_error_of_the_work_is_raised() -> None:
    async def fails() -> None:
        raise KeyError

    work = Work()
    with pytest.raises(KeyError):
        await with_progress(fails(), lambda: 0, work.send)
