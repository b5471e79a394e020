"""When a job has ended, and how."""

from __future__ import annotations

from typing import Any

import pytest

from headgate import pb
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.rules.job_end import conclude
from tests.worker.core.building import NOW_MS, cancel, committed, confirmed, job, operation, reason, row, spec, view

_SUCCEEDED = pb.JOB_STATE_SUCCEEDED
_FAILED = pb.JOB_STATE_FAILED
_RUNS = pb.RunState

_ONE = {
    "start": {"start": pb.StartWorkflowInstancesSpec(ids=[100])},
    "stop": {"stop": pb.StopWorkflowInstancesSpec(ids=[100])},
    "create": {"create": pb.CreateWorkflowInstancesSpec(), "operations": [confirmed(0)]},
    "backfill": {"backfill": spec(1), "operations": [confirmed(0)]},
    "adhoc": {"adhoc": pb.ExecuteAdhocWorkflowInstanceSpec(), "operations": [confirmed(0)]},
    "rerun": {"rerun": pb.RerunWorkflowInstancesSpec(ids=[100]), "operations": [confirmed()]},
}


def _ended(kind: str, until: pb.Until.ValueType, run: pb.InstanceRun) -> pb.JobState.ValueType | None:
    """What a job with this one row comes to; None when it goes on."""
    of = view(job(run, until=until, **_ONE[kind]))  # type: ignore[arg-type]
    step = conclude(of)
    return committed(of, step).state if step is not None else None


_ALL = ("start", "stop", "create", "backfill", "adhoc", "rerun")


@pytest.mark.parametrize("kind", _ALL)
@pytest.mark.parametrize("until", [pb.UNTIL_FINISHED, pb.UNTIL_UNSPECIFIED])
def test_a_job_that_goes_to_the_end_ends_with_its_runs(kind: str, until: pb.Until.ValueType) -> None:
    for state in (pb.RUN_STATE_CREATED, pb.RUN_STATE_BLOCKED, pb.RUN_STATE_STARTING, pb.RUN_STATE_RUNNING):
        assert _ended(kind, until, row(0, state)) is None
    assert _ended(kind, until, row(0, pb.RUN_STATE_SUCCEEDED)) == _SUCCEEDED
    assert _ended(kind, until, row(0, pb.RUN_STATE_UNRESOLVED)) == _FAILED


@pytest.mark.parametrize("state", [pb.RUN_STATE_FAILED, pb.RUN_STATE_STOPPED, pb.RUN_STATE_SKIPPED])
def test_a_run_that_did_not_succeed_fails_the_job_unless_ends_were_wanted(state: _RUNS.ValueType) -> None:
    for kind in _ALL:
        wanted = _SUCCEEDED if kind == "stop" else _FAILED
        assert _ended(kind, pb.UNTIL_FINISHED, row(0, state)) == wanted


@pytest.mark.parametrize(
    ("kind", "state", "reached"),
    [
        ("start", pb.RUN_STATE_CREATED, False),
        ("start", pb.RUN_STATE_BLOCKED, True),
        ("start", pb.RUN_STATE_STARTING, True),
        ("stop", pb.RUN_STATE_CREATED, False),
        ("create", pb.RUN_STATE_PLANNED, False),
        ("create", pb.RUN_STATE_CREATING, False),
        ("create", pb.RUN_STATE_CREATED, True),
        ("backfill", pb.RUN_STATE_CREATED, True),
        ("adhoc", pb.RUN_STATE_STARTING, True),
        ("rerun", pb.RUN_STATE_STARTING, True),
    ],
)
def test_accepted_is_when_upstream_has_taken_it(kind: str, state: _RUNS.ValueType, reached: bool) -> None:
    assert (_ended(kind, pb.UNTIL_ACCEPTED, row(0, state)) == _SUCCEEDED) is reached


def test_a_stop_is_accepted_when_upstream_says_so() -> None:
    run = row(0, pb.RUN_STATE_RUNNING, stop_time=timestamp(NOW_MS))

    assert _ended("stop", pb.UNTIL_ACCEPTED, run) == _SUCCEEDED


@pytest.mark.parametrize("kind", ["start", "create", "backfill", "adhoc", "rerun"])
def test_started_is_when_every_instance_has_left_not_run(kind: str) -> None:
    for state in (pb.RUN_STATE_CREATED, pb.RUN_STATE_BLOCKED, pb.RUN_STATE_STARTING):
        assert _ended(kind, pb.UNTIL_STARTED, row(0, state)) is None
    assert _ended(kind, pb.UNTIL_STARTED, row(0, pb.RUN_STATE_RUNNING)) == _SUCCEEDED
    assert _ended(kind, pb.UNTIL_STARTED, row(0, pb.RUN_STATE_FAILED)) == _FAILED


@pytest.mark.parametrize(
    ("outcome", "ends"),
    [
        (pb.OPERATION_OUTCOME_INTENDED, None),
        (pb.OPERATION_OUTCOME_ACCEPTED, None),
        (pb.OPERATION_OUTCOME_AMBIGUOUS, None),
        (pb.OPERATION_OUTCOME_NOT_SENT, None),
        (pb.OPERATION_OUTCOME_CONFIRMED, _SUCCEEDED),
        (pb.OPERATION_OUTCOME_ADOPTED, _SUCCEEDED),
        (pb.OPERATION_OUTCOME_REFUSED, _FAILED),
    ],
)
def test_a_create_without_rows_ends_with_its_operation(
    outcome: pb.OperationOutcome.ValueType, ends: pb.JobState.ValueType | None
) -> None:
    for fields in ({"create": pb.CreateWorkflowInstancesSpec()}, {"rerun": pb.RerunWorkflowInstancesSpec()}):
        of = view(job(operations=[operation(outcome)], **fields))
        step = conclude(of)
        assert (committed(of, step).state if step else None) == ends


def test_a_job_that_has_not_begun_its_create_is_not_over() -> None:
    assert conclude(view(job(create=pb.CreateWorkflowInstancesSpec()))) is None
    assert conclude(view(job(rerun=pb.RerunWorkflowInstancesSpec()))) is None


def test_the_error_names_the_first_date_that_failed_and_why() -> None:
    failed = row(1, pb.RUN_STATE_FAILED)
    failed.error.message = "no resource group"
    runs = row(0, pb.RUN_STATE_SUCCEEDED), failed, row(2, pb.RUN_STATE_SKIPPED)
    of = view(job(*runs, operations=[confirmed(0, 1)]))
    error = committed(of, conclude(of)).error

    assert reason(error) == "RUNS_FAILED"
    assert error.message == "2 of 3 runs did not succeed, the first is 2025-02-06: no resource group"


def test_a_paused_job_whose_runs_have_ended_is_over() -> None:
    of = view(job(row(0, pb.RUN_STATE_SUCCEEDED), operations=[confirmed(0)], state=pb.JOB_STATE_PAUSED))

    assert committed(of, conclude(of)).state == _SUCCEEDED


@pytest.mark.parametrize("state", [pb.JOB_STATE_QUEUED, pb.JOB_STATE_NEEDS_ATTENTION])
def test_a_job_that_has_not_begun_or_waits_for_a_person_is_not_over(state: pb.JobState.ValueType) -> None:
    assert conclude(view(job(row(0, pb.RUN_STATE_SUCCEEDED), operations=[confirmed(0)], state=state))) is None


def _cancelled(*runs: pb.InstanceRun, **fields: Any) -> pb.JobState.ValueType | None:
    of = view(job(*runs, **{**cancel(), **fields}))
    step = conclude(of)
    return committed(of, step).state if step is not None else None


def test_cancelled_means_that_every_instance_was_read_ended() -> None:
    for state in (pb.RUN_STATE_CREATED, pb.RUN_STATE_BLOCKED, pb.RUN_STATE_STARTING, pb.RUN_STATE_RUNNING):
        assert _cancelled(row(0, state), operations=[confirmed(0)]) is None
    assert _cancelled(row(0, pb.RUN_STATE_STOPPED), operations=[confirmed(0)]) == pb.JOB_STATE_CANCELLED
    assert _cancelled(row(0, pb.RUN_STATE_SUCCEEDED), operations=[confirmed(0)]) == pb.JOB_STATE_CANCELLED


@pytest.mark.parametrize(
    "outcome", [pb.OPERATION_OUTCOME_INTENDED, pb.OPERATION_OUTCOME_AMBIGUOUS, pb.OPERATION_OUTCOME_ACCEPTED]
)
def test_an_operation_that_may_yet_make_instances_keeps_the_cancel_open(
    outcome: pb.OperationOutcome.ValueType,
) -> None:
    fields: dict[str, Any] = {"create": pb.CreateWorkflowInstancesSpec(), "operations": [operation(outcome)]}

    assert _cancelled(**fields) is None
    detach = cancel(pb.CANCEL_MODE_DETACH)
    assert _cancelled(**{**fields, **detach}) == pb.JOB_STATE_CANCELLED


def test_what_was_made_and_not_yet_placed_keeps_the_cancel_open() -> None:
    assert _cancelled(create=pb.CreateWorkflowInstancesSpec(), operations=[confirmed(0)]) is None


def test_a_deadline_ends_in_failure() -> None:
    record = pb.CancelRecord(actor="headgate", reason="the job reached its deadline", mode=pb.CANCEL_MODE_STOP)
    of = view(job(row(0, pb.RUN_STATE_STOPPED), operations=[confirmed(0)], **{**cancel(), "cancel": record}))
    after = committed(of, conclude(of))

    assert (after.state, reason(after.error)) == (_FAILED, "DEADLINE_PASSED")
