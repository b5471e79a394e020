"""Cancels, deadlines and the watchdog."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.rules.cancelling import drop, overdue, stuck, stuck_at_ms
from tests.worker.core.building import NOW_MS, cancel, committed, confirmed, job, operation, reason, row, states, view

_DEADLINE = {"deadline_time": timestamp(NOW_MS)}


@pytest.mark.parametrize(
    "state", [pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED, pb.JOB_STATE_NEEDS_ATTENTION]
)
def test_a_deadline_stops_the_job_wherever_it_stands(state: pb.JobState.ValueType) -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING), state=state, **_DEADLINE))
    after = committed(of, overdue(of))

    assert after.state == pb.JOB_STATE_CANCELLING
    assert (after.cancel.actor, after.cancel.mode) == ("headgate", pb.CANCEL_MODE_STOP)
    assert overdue(view(after)) is None


def test_before_the_deadline_nothing_is_cancelled() -> None:
    of = job(row(0, pb.RUN_STATE_RUNNING), **_DEADLINE)

    assert overdue(view(of, now_ms=NOW_MS - 1)) is None
    assert overdue(view(job(row(0, pb.RUN_STATE_RUNNING)))) is None


def test_a_drain_is_stopped_at_the_deadline() -> None:
    of = view(job(row(0, pb.RUN_STATE_RUNNING), **cancel(pb.CANCEL_MODE_DRAIN), **_DEADLINE))

    assert committed(of, overdue(of)).cancel.mode == pb.CANCEL_MODE_STOP


@pytest.mark.parametrize("state", [pb.JOB_STATE_CANCELLING, pb.JOB_STATE_NEEDS_ATTENTION])
def test_a_job_that_is_stopped_already_is_not_stopped_again_by_its_deadline(state: pb.JobState.ValueType) -> None:
    assert overdue(view(job(row(0, pb.RUN_STATE_RUNNING), **{**cancel(), "state": state}, **_DEADLINE))) is None


def test_a_job_that_went_on_after_its_cancel_has_a_deadline_again() -> None:
    going_on = {**cancel(at_ms=NOW_MS - 9_000), "state": pb.JOB_STATE_RUNNING}

    assert overdue(view(job(row(0, pb.RUN_STATE_RUNNING), **going_on, **_DEADLINE))) is not None


def test_what_was_never_made_is_skipped() -> None:
    runs = row(0, pb.RUN_STATE_SUCCEEDED), row(1, pb.RUN_STATE_CREATING), row(2, pb.RUN_STATE_PLANNED)
    not_sent = operation(pb.OPERATION_OUTCOME_NOT_SENT, 1)
    of = view(job(*runs, operations=[not_sent], **cancel()))
    after = committed(of, drop(of))

    assert states(after) == ["SUCCEEDED", "SKIPPED", "SKIPPED"]
    assert reason(after.runs[1].error) == "RUN_SKIPPED"
    assert drop(view(after)) is None


@pytest.mark.parametrize(
    "outcome",
    [pb.OPERATION_OUTCOME_INTENDED, pb.OPERATION_OUTCOME_AMBIGUOUS, pb.OPERATION_OUTCOME_ACCEPTED],
)
def test_what_may_have_been_made_is_waited_for(outcome: pb.OperationOutcome.ValueType) -> None:
    assert drop(view(job(row(0, pb.RUN_STATE_CREATING), operations=[operation(outcome, 0)], **cancel()))) is None


def test_what_runs_is_not_dropped_by_a_stop_or_a_drain() -> None:
    for mode in (pb.CANCEL_MODE_STOP, pb.CANCEL_MODE_DRAIN, pb.CANCEL_MODE_UNSPECIFIED):
        runs = row(0, pb.RUN_STATE_RUNNING), row(1, pb.RUN_STATE_BLOCKED), row(2, pb.RUN_STATE_CREATED)
        assert drop(view(job(*runs, operations=[confirmed(0, 1, 2)], **cancel(mode)))) is None


def test_a_detach_says_that_it_does_not_know_what_becomes_of_what_it_lets_go() -> None:
    runs = row(0, pb.RUN_STATE_RUNNING), row(1, pb.RUN_STATE_BLOCKED), row(2, pb.RUN_STATE_PLANNED)
    of = view(job(*runs, operations=[confirmed(0, 1)], **cancel(pb.CANCEL_MODE_DETACH)))

    assert states(committed(of, drop(of))) == ["UNRESOLVED", "UNRESOLVED", "SKIPPED"]


def test_instances_that_were_only_named_are_let_go() -> None:
    stop = view(job(row(0, pb.RUN_STATE_CREATED), stop=pb.StopWorkflowInstancesSpec(ids=[100]), **cancel()))
    assert states(committed(stop, drop(stop))) == ["SKIPPED"]

    rerun = pb.RerunWorkflowInstancesSpec(ids=[100])
    before = view(job(row(0, pb.RUN_STATE_CREATED), rerun=rerun, **cancel()))
    assert states(committed(before, drop(before))) == ["SKIPPED"]
    sent = [operation(pb.OPERATION_OUTCOME_ACCEPTED)]
    assert drop(view(job(row(0, pb.RUN_STATE_CREATED), rerun=rerun, operations=sent, **cancel()))) is None


def test_a_start_job_that_never_began_is_let_go_and_another_is_read() -> None:
    start = pb.StartWorkflowInstancesSpec(ids=[100])
    never = view(job(row(0, pb.RUN_STATE_CREATED), start=start, **cancel()))
    never.job.ClearField("start_time")
    assert states(committed(never, drop(never))) == ["SKIPPED"]

    assert drop(view(job(row(0, pb.RUN_STATE_CREATED), start=start, **cancel()))) is None


def _cancelled(mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_STOP, *runs: pb.InstanceRun) -> pb.Job:
    return job(*(runs or [row(0, pb.RUN_STATE_RUNNING)]), update_time=timestamp(NOW_MS), **cancel(mode))


def test_a_person_is_asked_when_nothing_has_happened_for_too_long() -> None:
    of = _cancelled()
    assert stuck(view(of, now_ms=NOW_MS + 599_999)) is None

    late = view(of, now_ms=NOW_MS + 600_000)
    after = committed(late, stuck(late))
    assert after.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert "100" in after.error.message


def test_progress_keeps_the_watchdog_quiet() -> None:
    of = _cancelled()
    of.update_time.CopyFrom(timestamp(NOW_MS + 500_000))

    assert stuck_at_ms(view(of)) == NOW_MS + 1_100_000


def test_a_drain_may_take_as_long_as_what_runs() -> None:
    drain = _cancelled(pb.CANCEL_MODE_DRAIN)
    assert stuck(view(drain, now_ms=NOW_MS + 10**8)) is None

    idle = _cancelled(pb.CANCEL_MODE_DRAIN, row(0, pb.RUN_STATE_BLOCKED))
    assert stuck(view(idle, now_ms=NOW_MS + 600_000)) is not None


def test_nobody_is_asked_about_a_cancel_that_is_confirmed_or_was_not_asked_for() -> None:
    assert stuck_at_ms(view(_cancelled(pb.CANCEL_MODE_STOP, row(0, pb.RUN_STATE_STOPPED)))) is None
    assert stuck_at_ms(view(job(row(0, pb.RUN_STATE_RUNNING)))) is None


def test_an_instance_that_is_not_known_has_no_id_to_name() -> None:
    of = _cancelled(pb.CANCEL_MODE_STOP, row(0, pb.RUN_STATE_CREATING))
    of.operations.add(outcome=pb.OPERATION_OUTCOME_ACCEPTED)
    late = view(of, now_ms=NOW_MS + 600_000)

    assert "not known" in committed(late, stuck(late)).error.message
