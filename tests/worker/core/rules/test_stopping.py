"""Stopping instances."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate import pb
from headgate_worker.core.model.calls import Failure, FailureKind, GetInstance, PerInstance, StopInstances
from headgate_worker.core.model.hints_codec import decode_hints, encode_hints
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.model.view import Hints
from headgate_worker.core.rules.not_begun import FRESH_MS
from headgate_worker.core.rules.stopping import again_ms, stop, wants_end
from tests.worker.core.building import (
    FAILURE,
    NOW_MS,
    absorbed,
    acted,
    cancel,
    confirmed,
    failure,
    job,
    row,
    seen,
    spec,
    taken,
    view,
)

_STOPPED = timestamp(NOW_MS)


def _three(**fields: object) -> pb.Job:
    runs = (
        row(0, pb.RUN_STATE_RUNNING),
        row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100),
        row(2, pb.RUN_STATE_BLOCKED, blocked_by_id=101),
    )
    return job(*runs, operations=[confirmed(0, 1, 2)], **fields)


def test_children_are_stopped_before_parents() -> None:
    assert acted(stop(view(_three(**cancel())))).call == StopInstances((102, 101, 100), comment="enough")


def test_with_the_newest_date_first_the_oldest_child_is_the_last() -> None:
    newest = pb.DefaultRunProperties(order=pb.BACKFILL_ORDER_DESC)
    chosen = spec(3, default_run_properties=newest)
    runs = row(0, pb.RUN_STATE_BLOCKED), row(1, pb.RUN_STATE_BLOCKED), row(2, pb.RUN_STATE_RUNNING)
    call = acted(stop(view(job(*runs, backfill=chosen, **cancel())))).call

    assert call == StopInstances((100, 101, 102), comment="enough")


def test_a_drain_stops_only_what_waits_once_its_parent_was_read_to_run() -> None:
    """The children themselves are not read: upstream lets none of them go before its parent has ended."""
    drain = cancel(pb.CANCEL_MODE_DRAIN)

    first = acted(stop(view(_three(**drain))))
    assert (first.call, first.subject, first.since_ms) == (GetInstance(100), 0, 0)
    read = Hints(read_at_ms={0: NOW_MS - FRESH_MS})
    assert acted(stop(view(_three(**drain), read))).call == StopInstances((102, 101), comment="enough")
    assert acted(stop(view(_three(**drain), read, now_ms=NOW_MS + 1))).call == GetInstance(100)


def test_a_halt_stops_the_children_once_the_first_of_them_was_read_not_run() -> None:
    of = _three()
    of.runs[0].state = pb.RUN_STATE_FAILED

    assert acted(stop(view(of))).call == GetInstance(101)
    assert acted(stop(view(of, Hints(idle_at_ms={1: NOW_MS})))).call == StopInstances((102, 101))


def test_a_stop_that_waits_for_its_slot_does_not_begin_anew() -> None:
    of = _three()
    of.runs[0].state = pb.RUN_STATE_FAILED
    for waits in (Hints(slot_class="write", slot_at_ms=NOW_MS), Hints(queues_since_ms=NOW_MS)):
        hints = replace(waits, idle_at_ms={1: NOW_MS - 60_000})

        assert acted(stop(view(of, hints))).call == StopInstances((102, 101))


def test_chains_are_read_one_after_the_other_and_stopped_together() -> None:
    """Where the reads take long, what was read first is stopped before its read is too old."""
    chains = [row(n, pb.RUN_STATE_RUNNING) for n in range(3)]
    waiting = [row(n, pb.RUN_STATE_BLOCKED, blocked_by_id=97 + n) for n in range(3, 9)]
    of = job(*chains, *waiting, row(9, pb.RUN_STATE_FAILED), operations=[confirmed(*range(10))])

    assert acted(stop(view(of))).call == GetInstance(100)
    assert acted(stop(view(of, Hints(read_at_ms={0: NOW_MS, 1: NOW_MS})))).call == GetInstance(102)
    all_read = Hints(read_at_ms={0: NOW_MS - 4_000, 1: NOW_MS, 2: NOW_MS})
    assert acted(stop(view(of, all_read))).call == StopInstances((108, 107, 106, 105, 104, 103))
    slowly = Hints(read_at_ms={0: NOW_MS - 3_000, 1: NOW_MS})
    assert acted(stop(view(of, slowly))).call == StopInstances((107, 106, 104, 103))


@pytest.mark.parametrize("policy", [pb.ON_FAILURE_CONTINUE, pb.ON_FAILURE_DRAIN])
def test_other_policies_stop_nothing(policy: pb.OnFailure.ValueType) -> None:
    of = _three(backfill=spec(3, on_failure=policy))
    of.runs[0].state = pb.RUN_STATE_FAILED

    assert stop(view(of)) is None


def test_a_stop_job_stops_what_it_names_while_it_runs() -> None:
    chosen = pb.StopWorkflowInstancesSpec(ids=[100], comment="tidy up")
    of = job(row(0, pb.RUN_STATE_CREATED), stop=chosen)

    assert acted(stop(view(of))).call == StopInstances((100,), comment="tidy up")
    of.state = pb.JOB_STATE_PAUSED
    assert stop(view(of)) is None


@pytest.mark.parametrize("kind", ["start", "stop", "rerun"])
def test_a_cancel_never_stops_what_the_job_has_not_touched(kind: str) -> None:
    specs = {
        "start": pb.StartWorkflowInstancesSpec(ids=[100]),
        "stop": pb.StopWorkflowInstancesSpec(ids=[100]),
        "rerun": pb.RerunWorkflowInstancesSpec(ids=[100]),
    }
    of = view(job(row(0, pb.RUN_STATE_CREATED), **{kind: specs[kind]}, **cancel()))

    assert stop(of) is None
    assert not wants_end(of, of.job.runs[0])


def test_what_was_accepted_is_not_asked_again() -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING, stop_time=_STOPPED), **cancel()))

    assert stop(of) is None


def test_a_stop_is_on_record_only_when_upstream_accepted_it() -> None:
    of = view(_three(**cancel()))
    answers = {102: PerInstance(success=True), 101: PerInstance(success=False, message="its status is NotRun")}
    change = absorbed(of, StopInstances((102, 101, 100)), answers)

    after = taken(of, change)
    assert [run.HasField("stop_time") for run in after.runs] == [False, False, True]
    assert after.runs[1].upstream_message == "its status is NotRun"
    assert change.hints.stop_asked_ms == {0: NOW_MS, 1: NOW_MS}
    assert set(change.hints.poll_at_ms) == {0, 1, 2}


def test_a_refused_stop_is_asked_for_again_after_a_while() -> None:
    hints = Hints(stop_asked_ms={0: NOW_MS})
    of = job(row(0, pb.RUN_STATE_RUNNING), **cancel())

    assert stop(view(of, hints, now_ms=NOW_MS + 29_999)) is None
    assert again_ms(view(of, hints)) == [NOW_MS + 30_000]
    assert stop(view(of, hints, now_ms=NOW_MS + 30_000)) is not None


@pytest.mark.parametrize("kind", [FailureKind.REFUSED, FailureKind.DENIED, FailureKind.NOT_FOUND])
def test_a_call_that_was_refused_as_a_whole_is_settled_by_reading(kind: FailureKind) -> None:
    change = absorbed(view(_three(**cancel())), StopInstances((100,)), failure(kind))

    assert change.hints.stop_asked_ms == {0: NOW_MS}
    assert change.hints.retry_at_ms == 0


def test_a_call_that_may_go_again_waits() -> None:
    change = absorbed(view(_three(**cancel())), StopInstances((100,)), failure(FailureKind.TRANSIENT))

    assert change.drafts == ()
    assert change.hints.retry_at_ms > NOW_MS


def test_the_same_refusal_twice_is_no_news() -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING, upstream_message="no"), **cancel()))

    assert absorbed(of, StopInstances((100,)), {100: PerInstance(success=False, message="no")}).drafts == ()


def _after_a_stop_that_failed(lost: Failure) -> pb.RunState.ValueType:
    of = view(_three(**cancel()))
    hints = absorbed(of, StopInstances((100,)), lost).hints
    later = replace(of, hints=decode_hints(encode_hints(hints)))
    ended = absorbed(later, GetInstance(100), seen(100, FAILURE, finished_time=timestamp(NOW_MS)), 0)
    return taken(later, ended).runs[0].state


@pytest.mark.parametrize("kind", [FailureKind.TRANSIENT, FailureKind.AMBIGUOUS])
def test_what_fails_after_a_stop_whose_reply_was_lost_was_stopped(kind: FailureKind) -> None:
    assert _after_a_stop_that_failed(failure(kind)) == pb.RUN_STATE_STOPPED


@pytest.mark.parametrize(
    "lost", [failure(FailureKind.THROTTLED), Failure(FailureKind.TRANSIENT, "connect_failed", "no")]
)
def test_what_fails_after_a_stop_that_never_went_out_has_failed(lost: Failure) -> None:
    assert _after_a_stop_that_failed(lost) == pb.RUN_STATE_FAILED
