"""Waiting for an asynchronous create or rerun: asked seldom while it is made, and searched for when it is forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from headgate import pb
from headgate.reasons import Reason
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.facts.operations import made, refused
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import (
    Failure,
    FailureKind,
    GetCreateResult,
    GetRerunResult,
    OperationResult,
    OperationStatus,
    OutcomeOf,
)
from headgate_worker.core.model.steps import Act, Change, Step, operation_changed, operation_with
from headgate_worker.core.model.view import View


def confirm(view: View) -> Step | None:
    """Ask what has become of an accepted create or rerun."""
    pending = [op for op in view.job.operations if op.outcome == pb.OPERATION_OUTCOME_ACCEPTED]
    if not pending or view.now_ms < view.hints.operation_poll_at_ms:
        return None
    result = GetRerunResult if view.kind == "rerun" else GetCreateResult
    return Act(call=result(pending[0].operation_id), subject=pending[0].index)


def absorb_result(view: View, subject: int, outcome: OutcomeOf[OperationResult]) -> Change:
    """What an asynchronous create or rerun has come to."""
    operation = view.job.operations[subject]
    if isinstance(outcome, Failure):
        return _no_result(view, operation, outcome)
    result = outcome.body
    if result.status is OperationStatus.DONE:
        return made(view, operation, result.instance_ids)
    if result.status is OperationStatus.PENDING:
        again_ms = poll_schedule.look_again_ms(view, operation.intent_time.ToMilliseconds())
        return Change((), replace(view.hints.settled(), operation_poll_at_ms=again_ms))
    said = f"{operation.action}: {result.failure_message}"[:1024]
    error = errors.status(Reason.CREATE_FAILED, said, upstream_request_id=outcome.request_id)
    return Change(refused(view, operation, error), view.hints.settled())


def _no_result(view: View, operation: pb.UpstreamOperation, failure: Failure) -> Change:
    hints = poll_schedule.after_failure(view, failure)
    if failure.kind is not FailureKind.NOT_FOUND or hints.failures < FORGOTTEN_AFTER:
        return Change((), hints)
    row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)
    return Change((operation_changed(row, message=f"upstream has forgotten operation {row.operation_id}"),), hints)


FORGOTTEN_AFTER: Final = 5
"""Failed looks at an operation, the last one finding nothing, after which its instances are searched for instead."""
