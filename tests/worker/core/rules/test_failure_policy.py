"""What the failure of one date does to the others."""

from __future__ import annotations

from typing import Any

import pytest

from headgate import pb
from headgate.backfill import date_retries
from headgate_worker.core.model.event_text import label
from headgate_worker.core.rules.failure_policy import current_operation, halt, halted, halts
from tests.worker.core.building import cancel, committed, confirmed, job, operation, row, spec, states, view


def _job(on_failure: pb.OnFailure.ValueType, **fields: object) -> pb.Job:
    runs = (
        row(0, pb.RUN_STATE_FAILED),
        row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100),
        row(2, pb.RUN_STATE_CREATED),
        row(3, pb.RUN_STATE_CREATED, operation_index=1),
        row(4, pb.RUN_STATE_CREATING, operation_index=2),
        row(5, pb.RUN_STATE_PLANNED),
    )
    not_sent = operation(pb.OPERATION_OUTCOME_NOT_SENT, 4, index=2)
    operations = [confirmed(0, 1, 2), confirmed(3, index=1), not_sent]
    return job(*runs, operations=operations, backfill=spec(6, on_failure=on_failure), **fields)


@pytest.mark.parametrize(
    ("policy", "after"),
    [
        (pb.ON_FAILURE_UNSPECIFIED, ["FAILED", "BLOCKED", "CREATED", "SKIPPED", "SKIPPED", "SKIPPED"]),
        (pb.ON_FAILURE_HALT, ["FAILED", "BLOCKED", "CREATED", "SKIPPED", "SKIPPED", "SKIPPED"]),
        (pb.ON_FAILURE_DRAIN, ["FAILED", "BLOCKED", "CREATED", "CREATED", "SKIPPED", "SKIPPED"]),
    ],
)
def test_what_upstream_cannot_run_by_itself_is_skipped_at_once(
    policy: pb.OnFailure.ValueType, after: list[str]
) -> None:
    """Children that were named to upstream are stopped first: any end of their parent may start them."""
    of = view(_job(policy))

    stands = committed(of, halt(of))
    assert states(stands) == after
    assert "2025-02-05 failed" in stands.runs[5].error.message
    assert halt(view(stands)) is None


@pytest.mark.parametrize(
    ("by", "why"),
    [
        ({"stopped_by": pb.STOPPED_BY_ANOTHER_JOB, "stopped_by_job": "jobs/b"}, "2025-02-05 was stopped by jobs/b"),
        ({"stopped_by": pb.STOPPED_BY_OPERATOR}, "2025-02-05 was stopped by somebody else"),
        ({"stopped_by": pb.STOPPED_BY_HEADGATE}, ""),
        ({}, ""),
    ],
)
def test_a_date_that_others_stopped_counts_like_one_that_failed(by: dict[str, Any], why: str) -> None:
    """What this job has stopped itself was stopped for a reason that it knows."""
    stands = _job(pb.ON_FAILURE_HALT)
    stands.runs[0].MergeFrom(pb.InstanceRun(state=pb.RUN_STATE_STOPPED, **by))
    of = view(stands)

    assert halted(of) is bool(why)
    if why:
        assert f"not run, since {why}" in committed(of, halt(of)).runs[5].error.message


def test_a_date_that_others_stopped_is_not_tried_again_and_ends_the_tries_of_others() -> None:
    stopped = row(0, pb.RUN_STATE_STOPPED, stopped_by=pb.STOPPED_BY_OPERATOR)
    failed = row(1, pb.RUN_STATE_FAILED)
    halts_all = spec(2, max_attempts_per_date=3)
    goes_on = spec(2, max_attempts_per_date=3, on_failure=pb.ON_FAILURE_CONTINUE)

    assert date_retries.awaiting(job(stopped, failed, backfill=halts_all)) == []
    assert date_retries.awaiting(job(stopped, failed, backfill=goes_on)) == [failed]


def test_the_others_run_as_if_nothing_had_happened() -> None:
    of = view(_job(pb.ON_FAILURE_CONTINUE))

    assert halt(of) is None
    assert not halted(of)


def test_a_cancel_goes_its_own_way() -> None:
    of = view(_job(pb.ON_FAILURE_HALT, **cancel()))

    assert halt(of) is None
    assert not halted(of)


def test_other_kinds_have_no_policy() -> None:
    of = view(job(row(0, pb.RUN_STATE_FAILED), start=pb.StartWorkflowInstancesSpec(ids=[100])))

    assert not halted(of)


def test_only_what_may_have_been_named_has_to_be_stopped() -> None:
    of = view(_job(pb.ON_FAILURE_HALT))

    assert [halts(of, run) for run in of.job.runs] == [False, True, True, False, False, False]
    assert current_operation(of.job) == 0
    assert current_operation(job()) == -1


def test_a_run_is_named_by_its_date_or_its_instance() -> None:
    assert label(row(0, pb.RUN_STATE_FAILED)) == "2025-02-05"
    assert label(pb.InstanceRun(workflow_instance_id=7)) == "instance 7"
