"""Lost replies: search for the marker before anything is sent again, and ask a person rather than guess.

An operation is open when its intent is on record and its outcome is not: the worker died between the two, or the reply
was lost. Its marker is the exact name it carried; an instance of that name, date and kind, created no earlier than the
intent, is its own. Two sets of instances where one was asked for is the worst that can happen, so a search that stays
inconclusive until upstream's listing must have settled ends in NEEDS_ATTENTION.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from headgate import dates, pb
from headgate.reasons import Reason
from headgate_worker.core import errors, pacing
from headgate_worker.core.calls import Failure, InstancePage, ListInstances, Outcome
from headgate_worker.core.creating import OPEN
from headgate_worker.core.steps import Act, Change, Step, operation_changed, operation_with
from headgate_worker.core.view import Hints, View

PAGE = 100
"""Rows of a page of the search; upstream's own limit is not documented (reference: SDK 9.11)."""


SEARCH_AGAIN_MS = 10_000
"""Wait before a search that came too early is repeated."""


def _open_operation(view: View) -> pb.UpstreamOperation | None:
    return next((op for op in view.job.operations if op.outcome in OPEN), None)


def search_days(view: View, operation: pb.UpstreamOperation) -> tuple[int, ...]:
    """The business dates to search, as midnight in Asia/Shanghai in ms; none when there is nothing to search by."""
    days = list(dates.walk(operation.biz_dates))
    if view.kind == "adhoc" and view.job.adhoc.HasField("biz_date"):
        days = [dates.from_message(view.job.adhoc.biz_date)]
    return tuple(map(dates.midnight_millis, days))


def reconcile(view: View) -> Step | None:
    """Search for what an open operation may have made; decide when the search is complete."""
    operation = _open_operation(view)
    if operation is None or view.job.state == pb.JOB_STATE_NEEDS_ATTENTION:
        return None
    days = search_days(view, operation)
    left = [day for day in days if day not in view.hints.found]
    if left and view.now_ms >= view.hints.operation_poll_at_ms:
        return Act(call=_search(view, operation, left[0]), subject=operation.index)
    if left:
        return None
    return _decide(view, operation, days)


def _search(view: View, operation: pb.UpstreamOperation, day_ms: int) -> ListInstances:
    spec = getattr(view.job, view.kind)
    kinds = {
        "backfill": pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
        "create": view.job.create.type,
    }
    kind = kinds.get(view.kind, pb.WORKFLOW_INSTANCE_TYPE_UNSPECIFIED)
    return ListInstances(
        spec.project_id, day_ms, name=operation.marker, type=kind, env_type=spec.env_type, page_size=PAGE
    )


def absorb_search(view: View, subject: int, call: ListInstances, outcome: Outcome) -> Change:
    """What a search of one date has found. A full page can't be told from a cut one, and so decides nothing."""
    if isinstance(outcome, Failure):
        return Change((), pacing.after_failure(view, outcome))
    page, operation = outcome.body, view.job.operations[subject]
    assert isinstance(page, InstancePage)  # noqa: S101
    mine = tuple(seen.id for seen in page.instances if _is_mine(view, operation, seen))
    found = {**view.hints.found, call.biz_date_millis: mine}
    return Change((), _after_search(view, operation, found))


def _after_search(view: View, operation: pb.UpstreamOperation, found: Mapping[int, tuple[int, ...]]) -> Hints:
    """The hints after one more date; a complete search that may have come too early begins again later."""
    hints = replace(view.hints.settled(), found=found)
    days = search_days(view, operation)
    complete = all(day in found for day in days)
    if not complete or _conclusive(found, days) or view.now_ms >= settled_at_ms(view, operation):
        return hints
    return replace(hints, found={}, operation_poll_at_ms=view.now_ms + SEARCH_AGAIN_MS)


def _conclusive(found: Mapping[int, tuple[int, ...]], days: Sequence[int]) -> bool:
    return bool(days) and all(len(found[day]) == 1 for day in days)


def _is_mine(view: View, operation: pb.UpstreamOperation, seen: pb.WorkflowInstance) -> bool:
    earliest = operation.intent_time.ToMilliseconds() - view.policy.clock_skew_ms
    taken = {i for op in view.job.operations if op.index != operation.index for i in op.workflow_instance_ids}
    return seen.name == operation.marker and seen.create_time.ToMilliseconds() >= earliest and seen.id not in taken


def _decide(view: View, operation: pb.UpstreamOperation, days: Sequence[int]) -> Step | None:
    found = view.hints.found
    if _conclusive(found, days):
        ids = [found[day][0] for day in days]
        row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_ADOPTED, workflow_instance_ids=ids)
        draft = operation_changed(row, message=f"found the {len(ids)} instances of {operation.action}")
        draft.type = pb.EVENT_TYPE_RECONCILED
        return Act((draft,))
    return _give_up(operation, days, found)


def settled_at_ms(view: View, operation: pb.UpstreamOperation) -> int:
    """When upstream's listing must show what the operation made, if it made anything."""
    return operation.intent_time.ToMilliseconds() + view.policy.settle_ms


def _give_up(operation: pb.UpstreamOperation, days: Sequence[int], found: Mapping[int, tuple[int, ...]]) -> Step:
    seen = [str(i) for day in days for i in found.get(day, ())]
    said = (
        f"whether {operation.action} of {operation.marker!r} was executed can't be told: "
        f"{len(seen)} instances were found for {len(days)} dates"
    )
    error = errors.status(
        Reason.UPSTREAM_AMBIGUOUS, said, action=operation.action, marker=operation.marker, found=",".join(seen[:50])
    )
    state = pb.JOB_STATE_NEEDS_ATTENTION
    return Act((pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state, error=error, message=said),))
