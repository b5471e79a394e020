import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate import pb
from headgate.job.event_log import replay
from headgate_client import (
    EndItem,
    EventItem,
    HeadgateError,
    JobWatch,
    SnapshotItem,
    WatchItem,
)
from tests.client.scripted import JOB, Fault, Plan, Running, make_log, serve

LOG = make_log(8)
LOSSY = {Fault.COMPACTED, Fault.HISTORY_LOST}
FINAL = {Fault.HANG, Fault.NOT_FOUND}
LOSSLESS = sorted(set(Fault) - LOSSY - FINAL, key=lambda fault: fault.value)


async def read_all(watch: JobWatch) -> list[WatchItem]:
    return [item async for item in watch]


class World:
    """One loop, one server and one client for many examples."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self._serving = serve(LOG)
        self.running: Running = self.runner.run(self._serving.__aenter__())
        self.job: pb.Job | None = None

    def close(self) -> None:
        self.runner.run(self._serving.__aexit__(None, None, None))
        self.runner.close()

    def watch(
        self,
        start_revision: int,
        plans: list[Plan],
        mode: pb.WatchMode.ValueType = pb.WATCH_MODE_EVERY_EVENT,
    ) -> list[WatchItem]:
        self.running.script.play(plans)
        return self.runner.run(self._watch(start_revision, mode))

    async def _watch(self, start_revision: int, mode: pb.WatchMode.ValueType) -> list[WatchItem]:
        watch = self.running.client.jobs.watch(JOB, start_revision=start_revision, mode=mode)
        items = await read_all(watch)
        self.job = watch.job
        return items


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def scripts(faults: list[Fault]) -> st.SearchStrategy[list[Plan]]:
    plan = st.builds(Plan, sent=st.integers(0, 9), fault=st.sampled_from(faults), head=st.integers(1, len(LOG)))
    return st.lists(plan, max_size=6)


@settings(max_examples=120)
@given(plans=scripts(LOSSLESS), start=st.integers(1, len(LOG)))
def test_whatever_breaks_every_event_arrives_once_and_in_order(world: World, plans: list[Plan], start: int) -> None:
    items = world.watch(start, plans)

    assert [item.event for item in items if isinstance(item, EventItem)] == list(LOG[start - 1 :])
    assert isinstance(items[-1], EndItem)
    assert start > 1 or world.job == replay(LOG)


@settings(max_examples=80)
@given(plans=scripts([*LOSSLESS, *LOSSY]))
def test_after_lost_history_a_marked_snapshot_takes_the_place_of_what_was_said(world: World, plans: list[Plan]) -> None:
    items = world.watch(0, plans)

    told = [item for item in items if isinstance(item, SnapshotItem | EventItem)]
    assert isinstance(told[0], SnapshotItem)
    for before, item in pairwise(told):
        if isinstance(item, EventItem):
            assert item.revision == before.revision + 1
        else:
            assert item.reset
    assert world.job == replay(LOG)


@settings(max_examples=60)
@given(plans=scripts([Fault.UNAVAILABLE, Fault.DRAINING, Fault.SILENT_END, Fault.CANCELLED]))
def test_latest_only_never_goes_back_and_never_misses_the_last(world: World, plans: list[Plan]) -> None:
    items = world.watch(0, plans, pb.WATCH_MODE_LATEST_ONLY)

    revisions = [item.revision for item in items if isinstance(item, SnapshotItem)]
    assert revisions == sorted(set(revisions))
    assert revisions[-1] == len(LOG)
    assert world.job == replay(LOG)


async def test_the_first_item_is_the_job_as_it_stands(running: Running) -> None:
    running.script.play([Plan(head=3)])

    items = await read_all(running.client.jobs.watch("orders-2025"))

    assert items[0] == SnapshotItem(3, running.script.job_at(3))
    assert [item.revision for item in items] == [3, 4, 5, 6, 6]


async def test_coming_back_asks_for_the_next_revision_of_the_same_history(running: Running) -> None:
    running.script.play([Plan(sent=3, fault=Fault.UNAVAILABLE)])

    await read_all(running.client.jobs.watch(JOB, start_revision=1))

    first, second = running.script.watches
    assert (first.start_revision, first.incarnation) == (1, "")
    assert second.start_revision == 4
    assert second.incarnation == running.script.event(3).incarnation


async def test_an_unknown_job_is_an_error_and_no_reason_to_come_back(running: Running) -> None:
    running.script.play([Plan(sent=0, fault=Fault.NOT_FOUND)])

    with pytest.raises(HeadgateError) as caught:
        await read_all(running.client.jobs.watch(JOB))

    assert caught.value.is_not_found and caught.value.reason == "JOB_UNKNOWN"
    assert len(running.script.watches) == 1


async def test_a_cancelled_step_loses_nothing(running: Running) -> None:
    running.script.play([Plan(sent=2, fault=Fault.HANG)])
    watch = running.client.jobs.watch(JOB, start_revision=1)
    before = [await anext(watch), await anext(watch)]

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(watch)

    assert [item.revision for item in [*before, *await read_all(watch)]] == [1, 2, 3, 4, 5, 6, 6]


async def test_a_closed_watch_is_at_its_end(running: Running) -> None:
    async with running.client.jobs.watch(JOB) as watch:
        await anext(watch)

    assert await read_all(watch) == []
