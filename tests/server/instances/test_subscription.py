"""One watched instance and its viewers: each is sent what it has not sent, the newest row only."""

import asyncio
import gc
from contextlib import suppress

import pytest
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate_server.errors.exceptions import Relayed
from headgate_server.instances.subscription import Viewer, Watched
from headgate_server.ports.clock import timestamp
from headgate_server.ports.instance_kinds import WORKFLOW
from tests.server.instance_rows import RUNNING, SUCCESS

GONE = Status(code=5, message="no such instance")


def take(watched: Watched, ms: int, state: pb.WorkflowInstanceStatus.ValueType = RUNNING) -> None:
    row = pb.WorkflowInstance(id=7, status=state, observe_time=timestamp(ms))
    watched.take(row, row.SerializeToString())


def sent(viewer: Viewer) -> list[tuple[str, int]]:
    messages = [pb.WatchWorkflowInstancesResponse.FromString(raw) for raw in viewer.news()]
    return [
        ("row", message.workflow_instance.status)
        if message.HasField("workflow_instance")
        else ("lack", message.unreadable.error.code)
        for message in messages
    ]


def watched() -> Watched:
    return Watched(WORKFLOW, 7)


def test_a_row_is_sent_once_to_each_viewer() -> None:
    found = watched()
    first, second = Viewer([found], draining=False), Viewer([found], draining=False)
    take(found, 1_000)

    assert [sent(viewer) for viewer in (first, first, second)] == [[("row", RUNNING)], [], [("row", RUNNING)]]


def test_a_slow_viewer_skips_to_the_present_row() -> None:
    found = watched()
    viewer = Viewer([found], draining=False)
    take(found, 1_000)
    take(found, 2_000, SUCCESS)

    assert sent(viewer) == [("row", SUCCESS)]


def test_a_row_that_says_nothing_new_and_one_that_is_older_are_not_sent() -> None:
    found = watched()
    viewer = Viewer([found], draining=False)
    take(found, 2_000)
    sent(viewer)

    take(found, 3_000)
    take(found, 1_000, SUCCESS)

    assert sent(viewer) == [] and found.seen_ms == 3_000


def test_an_instance_that_can_not_be_read_is_told_once_per_reason_and_its_row_again_when_it_can() -> None:
    found = watched()
    viewer = Viewer([found], draining=False)
    take(found, 1_000)
    sent(viewer)

    found.lack(Status(code=14))
    found.lack(Status(code=14))
    assert sent(viewer) == [("lack", 14)]
    found.lack(Status(code=8))
    assert sent(viewer) == [("lack", 8)]
    take(found, 2_000)
    assert sent(viewer) == [("row", RUNNING)]


def test_an_end_is_believed_when_it_was_seen_late_enough() -> None:
    found = watched()
    found.wanted_ms = 2_000
    take(found, 1_000, SUCCESS)
    assert not found.has_ended

    take(found, 2_000, SUCCESS)

    assert found.has_ended and Viewer([found], draining=False).has_all_ended


def test_an_error_ends_the_stream_of_every_watcher() -> None:
    found = watched()
    viewer = Viewer([found], draining=False)
    found.fail(GONE)

    with pytest.raises(Relayed) as told:
        sent(viewer)
    assert told.value.status == GONE.SerializeToString()


def test_streams_that_end_by_an_error_leave_no_cycle_for_the_collector() -> None:
    def end() -> None:
        found = watched()
        found.fail(GONE)
        viewer = Viewer([found], draining=False)
        with suppress(Relayed):
            sent(viewer)
        found.viewers.discard(viewer)

    end()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            end()
        assert gc.collect() < 20
    finally:
        gc.enable()


def test_a_viewer_of_several_tells_of_all_together() -> None:
    one, other = watched(), watched()
    viewer = Viewer([one, other], draining=False)
    take(one, 1_000)
    one.next_ms, other.next_ms = 0, 5_000

    assert viewer.knows_nothing and not viewer.has_all_ended
    assert (viewer.last_ms, viewer.next_ms) == (1_000, 5_000)
    take(other, 3_000)
    assert not viewer.knows_nothing and viewer.last_ms == 3_000


async def test_a_waiting_viewer_is_woken_by_news_by_draining_and_by_its_time() -> None:
    found, loop = watched(), asyncio.get_running_loop()
    viewer = Viewer([found], draining=False)
    async with asyncio.timeout(5):
        take(found, 1_000)
        await viewer.wait(loop.time() + 3_600)
        sent(viewer)
        until = loop.time() + 0.02
        await viewer.wait(until)
        assert loop.time() >= until
        sent(viewer)
        viewer.drain()
        await viewer.wait(loop.time() + 3_600)
    assert viewer.draining
