"""Which failed dates are tried again by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from headgate import pb
from headgate.backfill import date_retries

FAILED = pb.RUN_STATE_FAILED


def _run(index: int, state: pb.RunState.ValueType = FAILED, **fields: Any) -> pb.InstanceRun:
    fields.setdefault("attempt", 1)
    fields.setdefault("workflow_instance_id", 100 + index)
    return pb.InstanceRun(index=index, state=state, **fields)


def _job(*runs: pb.InstanceRun, most: int = 3, on_failure: int = 0, **fields: Any) -> pb.Job:
    fields.setdefault("state", pb.JOB_STATE_RUNNING)
    spec = pb.BackfillSpec(max_attempts_per_date=most, on_failure=on_failure)  # type: ignore[arg-type]
    return pb.Job(runs=runs, backfill=spec, **fields)


def _awaiting(job: pb.Job) -> list[int]:
    return [run.index for run in date_retries.awaiting(job)]


@pytest.mark.parametrize(
    ("most", "retries", "again"), [(0, 0, 0), (1, 0, 0), (2, 0, 1), (2, 1, 0), (10, 8, 1), (10, 9, 0)]
)
def test_a_date_is_tried_as_often_as_the_caller_said(most: int, retries: int, again: int) -> None:
    job = _job(_run(0, attempt=1 + retries, retries=retries), most=most)

    assert len(_awaiting(job)) == again


@pytest.mark.parametrize("state", [state for state in pb.RunState.values() if state not in (0, FAILED)])
def test_only_failures_are_tried_again(state: pb.RunState.ValueType) -> None:
    """STOPPED was somebody's wish, SKIPPED never ran, and what became of UNRESOLVED is not known."""
    assert _awaiting(_job(_run(0, state))) == []


def test_what_upstream_refused_may_still_run_and_is_left_alone() -> None:
    refused = _run(0)
    refused.error.code = 9

    assert _awaiting(_job(refused)) == []
    assert _awaiting(_job(_run(0, workflow_instance_id=0))) == []


@pytest.mark.parametrize("state", [pb.JOB_STATE_CANCELLING, pb.JOB_STATE_NEEDS_ATTENTION, pb.JOB_STATE_FAILED])
def test_a_job_that_is_to_end_tries_nothing_again(state: pb.JobState.ValueType) -> None:
    assert _awaiting(_job(_run(0), state=state)) == []
    assert _awaiting(_job(_run(0), state=pb.JOB_STATE_PAUSED)) == [0]


@pytest.mark.parametrize(
    ("on_failure", "left"), [(pb.ON_FAILURE_HALT, []), (pb.ON_FAILURE_DRAIN, []), (pb.ON_FAILURE_CONTINUE, [0])]
)
def test_a_final_failure_ends_the_tries_of_all_unless_the_others_go_on(on_failure: int, left: list[int]) -> None:
    spent = _run(1, attempt=3, retries=2)

    assert _awaiting(_job(_run(0), spent, on_failure=on_failure)) == left
    assert _awaiting(_job(_run(0), _run(1, pb.RUN_STATE_UNRESOLVED), on_failure=on_failure)) == left


def test_a_retry_by_hand_begins_to_count_again() -> None:
    """Dates of an earlier go have failed for good, and do not matter any more."""
    old = _run(0, attempt=3, retries=2)
    begun_again = _run(1, attempt=4)

    assert _awaiting(_job(old, begun_again)) == [1]
    assert _awaiting(_job(old, _run(1, attempt=6, retries=1, recalls=1))) == [1]
    assert _awaiting(_job(_run(0), _run(1, pb.RUN_STATE_SUCCEEDED, attempt=2))) == []


def test_the_record_of_a_job_stays_bounded() -> None:
    job = _job(_run(0))
    job.operations.extend(pb.UpstreamOperation(index=n) for n in range(date_retries.MOST_OPERATIONS - 1))
    assert _awaiting(job) == [0]
    job.operations.add()
    assert _awaiting(job) == []


def test_the_next_attempt_keeps_nothing_but_its_place_and_date() -> None:
    run = _run(4, attempt=3, retries=1, recalls=1, operation_index=2, upstream_status="Failure")
    run.biz_date.year = 2025

    again, back = date_retries.tried_again(run), date_retries.called_back(run)
    assert (again.attempt, again.retries, again.recalls) == (4, 2, 1)
    assert (back.attempt, back.retries, back.recalls) == (4, 1, 2)
    for row in (again, back):
        assert (row.index, row.biz_date, row.state, row.operation_index) == (4, run.biz_date, pb.RUN_STATE_PLANNED, -1)
        assert date_retries.go(row) == date_retries.go(run)
        assert not row.workflow_instance_id and not row.upstream_status
