"""The decisions of a watch, without any I/O."""

import grpc
import pytest

from headgate import pb
from headgate_client.rpc.errors import HeadgateError
from headgate_client.watch.items import EventItem, ProgressItem, SnapshotItem
from headgate_client.watch.resume import (
    Drop,
    Finish,
    GiveUp,
    Reopen,
    StreamPosition,
    Yield,
    begin,
    on_failure,
    on_message,
)

EVERY = pb.WATCH_MODE_EVERY_EVENT
LATEST = pb.WATCH_MODE_LATEST_ONLY


def event(revision: int, incarnation: str = "") -> pb.WatchJobResponse:
    return pb.WatchJobResponse(revision=revision, incarnation=incarnation, event=pb.JobEvent(revision=revision))


def snapshot(revision: int) -> pb.WatchJobResponse:
    return pb.WatchJobResponse(revision=revision, snapshot=pb.Job(revision=revision))


def progress(revision: int, incarnation: str = "") -> pb.WatchJobResponse:
    return pb.WatchJobResponse(revision=revision, incarnation=incarnation, progress=pb.Progress())


def end(reason: pb.StreamEndReason.ValueType, revision: int = 0) -> pb.WatchJobResponse:
    message = pb.WatchJobResponse(revision=revision, end=pb.StreamEnd(reason=reason))
    message.end.reconnect_delay.seconds = 2
    return message


@pytest.mark.parametrize(("start", "asked"), [(0, 0), (1, 1), (7, 7)])
def test_a_watch_asks_for_what_its_reader_wants(start: int, asked: int) -> None:
    assert begin(start, EVERY, ()).start_revision == asked


def test_a_negative_start_is_refused() -> None:
    with pytest.raises(ValueError, match="start_revision"):
        begin(-1, EVERY, ())


def test_after_an_event_the_next_one_is_asked_for() -> None:
    step = on_message(StreamPosition(revision=4), event(5, "a"))

    assert step == Yield(StreamPosition(revision=5, incarnation="a"), EventItem(5, pb.JobEvent(revision=5)))
    assert isinstance(step, Yield) and step.position.start_revision == 6


@pytest.mark.parametrize("revision", [1, 4])
def test_a_repeat_is_dropped(revision: int) -> None:
    assert on_message(StreamPosition(revision=4), event(revision)) == Drop(StreamPosition(revision=4))


@pytest.mark.parametrize("message", [event(6), progress(5), snapshot(9)])
def test_a_gap_opens_the_stream_again_where_it_began(message: pb.WatchJobResponse) -> None:
    step = on_message(StreamPosition(revision=4), message)

    assert isinstance(step, Reopen)
    assert step.position == StreamPosition(revision=4) and "gap" in step.cause


def test_with_a_choice_of_types_gaps_are_what_was_asked_for() -> None:
    at = begin(1, EVERY, (pb.EVENT_TYPE_STATE_CHANGED,))

    assert isinstance(on_message(at, event(6)), Yield)
    step = on_message(at, progress(9))
    assert isinstance(step, Yield) and step.position.start_revision == 10


def test_latest_only_skips_but_a_sign_of_life_is_not_a_snapshot() -> None:
    at = begin(0, LATEST, ())
    step = on_message(at, snapshot(5))
    assert isinstance(step, Yield)

    step = on_message(step.position, snapshot(9))
    assert isinstance(step, Yield) and step.item == SnapshotItem(9, pb.Job(revision=9))
    step = on_message(step.position, progress(12))
    assert isinstance(step, Yield) and step.position.start_revision == 10


def test_latest_only_does_not_end_before_the_last_snapshot() -> None:
    at = StreamPosition(revision=5, dense=False)

    assert isinstance(on_message(at, end(pb.STREAM_END_REASON_JOB_TERMINAL, 6)), Reopen)
    assert isinstance(on_message(at, end(pb.STREAM_END_REASON_JOB_TERMINAL, 5)), Finish)


def test_an_end_that_skips_events_is_a_gap() -> None:
    step = on_message(StreamPosition(revision=5), end(pb.STREAM_END_REASON_JOB_TERMINAL, 6))

    assert isinstance(step, Reopen) and step.position.start_revision == 6


def test_a_sign_of_life_before_the_snapshot_changes_nothing() -> None:
    at = begin(0, EVERY, ())

    assert on_message(at, progress(0)) == Yield(at, ProgressItem(0, pb.Progress()))


@pytest.mark.parametrize("reason", [pb.STREAM_END_REASON_MAX_STREAM_AGE, pb.STREAM_END_REASON_SERVER_DRAINING])
def test_an_announced_end_is_waited_out(reason: pb.StreamEndReason.ValueType) -> None:
    step = on_message(StreamPosition(revision=5), end(reason, 5))

    assert isinstance(step, Reopen)
    assert (step.delay, step.position.start_revision) == (2.0, 6)


def test_a_reason_newer_than_the_client_is_waited_out_too() -> None:
    step = on_message(StreamPosition(revision=5), end(pb.StreamEndReason.ValueType(77), 5))

    assert isinstance(step, Reopen) and step.cause == "77"


def test_lost_history_begins_again_with_a_marked_snapshot() -> None:
    step = on_message(StreamPosition(revision=5, incarnation="a"), end(pb.STREAM_END_REASON_HISTORY_LOST))

    assert isinstance(step, Reopen) and step.position.start_revision == 0
    after = on_message(step.position, snapshot(3))
    assert isinstance(after, Yield)
    assert after.item == SnapshotItem(3, pb.Job(revision=3), reset=True)
    assert not after.position.reset


@pytest.mark.parametrize("message", [event(5, "b"), progress(5, "b")])
def test_another_history_under_the_same_number_is_noticed(message: pb.WatchJobResponse) -> None:
    step = on_message(StreamPosition(revision=5, incarnation="a"), message)

    assert isinstance(step, Reopen)
    assert step.position.start_revision == 0 and step.position.reset


@pytest.mark.parametrize("reason", ["REVISION_COMPACTED", "REVISION_FUTURE"])
def test_out_of_range_begins_again_with_a_snapshot(reason: str) -> None:
    step = on_failure(StreamPosition(revision=5), HeadgateError(grpc.StatusCode.OUT_OF_RANGE, reason))

    assert isinstance(step, Reopen)
    assert step.position.start_revision == 0 and step.position.reset


@pytest.mark.parametrize(
    "error",
    [
        HeadgateError(grpc.StatusCode.UNAVAILABLE),
        HeadgateError(grpc.StatusCode.CANCELLED),
        HeadgateError(grpc.StatusCode.INTERNAL),
        HeadgateError(grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_LIMIT", retry_after=3),
    ],
)
def test_what_passes_is_waited_out(error: HeadgateError) -> None:
    step = on_failure(StreamPosition(revision=5), error)

    assert isinstance(step, Reopen)
    assert step.position.start_revision == 6 and step.delay == (error.retry_after or 0)


@pytest.mark.parametrize(
    "error",
    [
        HeadgateError(grpc.StatusCode.NOT_FOUND, "JOB_UNKNOWN"),
        HeadgateError(grpc.StatusCode.INTERNAL, "INTERNAL_ERROR"),
        HeadgateError(grpc.StatusCode.RESOURCE_EXHAUSTED),
        HeadgateError(grpc.StatusCode.PERMISSION_DENIED),
        HeadgateError(grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"),
    ],
)
def test_what_does_not_pass_is_raised(error: HeadgateError) -> None:
    assert on_failure(StreamPosition(revision=5), error) == GiveUp(error)


def test_a_payload_newer_than_the_client_is_passed_over() -> None:
    at = StreamPosition(revision=5)

    assert on_message(at, pb.WatchJobResponse(revision=5)) == Drop(at)
    assert isinstance(on_message(at, pb.WatchJobResponse(revision=6)), Reopen)
