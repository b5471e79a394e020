"""Waiting for an asynchronous create or rerun."""

from __future__ import annotations

from headgate import pb
from headgate_worker.core.model.calls import (
    FailureKind,
    GetCreateResult,
    GetRerunResult,
    OperationResult,
    OperationStatus,
)
from headgate_worker.core.model.view import Hints
from headgate_worker.core.rules.async_operations import FORGOTTEN_AFTER, confirm
from tests.worker.core.building import (
    NOW_MS,
    absorbed,
    acted,
    failure,
    job,
    operation,
    reason,
    row,
    states,
    taken,
    view,
)


def _accepted(**fields: object) -> pb.Job:
    run = row(0, pb.RUN_STATE_CREATING)
    return job(run, operations=[operation(pb.OPERATION_OUTCOME_ACCEPTED, 0, operation_id="op-1")], **fields)


def test_an_accepted_create_is_asked_for_at_once() -> None:
    act = acted(confirm(view(_accepted())))

    assert (act.call, act.subject) == (GetCreateResult("op-1"), 0)


def test_a_rerun_has_a_result_of_its_own() -> None:
    of = view(_accepted(rerun=pb.RerunWorkflowInstancesSpec()))

    assert acted(confirm(of)).call == GetRerunResult("op-1")


def test_nothing_is_asked_before_its_time_or_without_an_operation() -> None:
    assert confirm(view(_accepted(), Hints(operation_poll_at_ms=NOW_MS + 1))) is None
    assert confirm(view(job(row(0, pb.RUN_STATE_PLANNED)))) is None


def test_the_longer_a_create_takes_the_seldomer_it_is_asked_for() -> None:
    pending = OperationResult(OperationStatus.PENDING)
    soon = absorbed(view(_accepted()), GetCreateResult("op-1"), pending, 0)
    late = absorbed(view(_accepted(), now_ms=NOW_MS + 10**6), GetCreateResult("op-1"), pending, 0)

    assert soon.drafts == late.drafts == ()
    assert soon.hints.operation_poll_at_ms == NOW_MS + 1_000
    assert late.hints.operation_poll_at_ms == NOW_MS + 10**6 + 15_000


def test_a_create_that_is_done_has_made_its_instances() -> None:
    of = view(_accepted(), Hints(operation_poll_at_ms=7))
    change = absorbed(of, GetCreateResult("op-1"), OperationResult(OperationStatus.DONE, (100,)), 0)

    after = taken(of, change)
    assert after.operations[0].outcome == pb.OPERATION_OUTCOME_CONFIRMED
    assert list(after.operations[0].workflow_instance_ids) == [100]
    assert change.hints.operation_poll_at_ms == 0


def test_a_create_that_upstream_could_not_do_has_failed() -> None:
    of = view(_accepted())
    result = OperationResult(OperationStatus.FAILED, failure_message="Non-existent TaskIDs")
    after = taken(of, absorbed(of, GetCreateResult("op-1"), result, 0))

    assert states(after) == ["FAILED"]
    assert reason(after.runs[0].error) == "CREATE_FAILED"
    assert "Non-existent TaskIDs" in after.runs[0].error.message


def test_a_failed_look_is_repeated() -> None:
    change = absorbed(view(_accepted()), GetCreateResult("op-1"), failure(FailureKind.TRANSIENT), 0)

    assert change.drafts == ()
    assert change.hints.retry_at_ms > NOW_MS


def test_an_operation_that_upstream_has_forgotten_is_searched_for() -> None:
    gone = failure(FailureKind.NOT_FOUND)
    assert absorbed(view(_accepted()), GetCreateResult("op-1"), gone, 0).drafts == ()

    of = view(_accepted(), Hints(failures=FORGOTTEN_AFTER - 1))
    after = taken(of, absorbed(of, GetCreateResult("op-1"), gone, 0))
    assert after.operations[0].outcome == pb.OPERATION_OUTCOME_AMBIGUOUS
