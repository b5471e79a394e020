"""Lost replies: search for the marker before anything is sent again, and ask a person rather than guess.

An operation is open when its intent is on record and its outcome is not: the worker died between the two, or the reply
was lost. Its marker is the exact name it carried; an instance of that name, date and kind, created no earlier than the
intent, is its own. Two sets of instances where one was asked for is the worst that can happen, so a search that stays
inconclusive until upstream's listing must have settled ends in NEEDS_ATTENTION. Only where the operator has set so, a
create of which such a search has found nothing at all is sent again. A rerun makes nothing that could be
searched for: its first instance is read, and shows a run since the intent or does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from headgate import pb
from headgate.backfill import dates
from headgate.reasons import Reason
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.facts.operations import OPEN, made_draft
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import Failure, GetInstance, InstancePage, ListInstances, OutcomeOf
from headgate_worker.core.model.steps import Act, Change, Step, operation_changed, operation_with
from headgate_worker.core.model.view import View

PAGE: Final = 100
"""Rows of a page of the search; upstream's own limit is not documented (reference: SDK 9.11)."""

SEARCH_AGAIN_MS: Final = 10_000
"""Wait before a search that came too early is repeated."""

MOST_SENDS: Final = 3
"""How often a create is sent at most, where one that shows nowhere is sent again; then a person is asked."""

Found = Mapping[int, tuple[int, ...]]
"""Business date in ms to instance ids; see Hints.found."""

_CUT: Final = 0
_DAY: Final = timedelta(days=1)


def _open_operation(job: pb.Job) -> pb.UpstreamOperation | None:
    return next((op for op in job.operations if op.outcome in OPEN), None)


def search_days(view: View, operation: pb.UpstreamOperation) -> tuple[int, ...]:
    """The business dates to search, as midnight in Asia/Shanghai in ms; none when there is nothing to search by.

    Upstream chooses the date of what names none. Observed is yesterday; today is searched too. Of an ad hoc run it may
    show another date than the one that was sent: the days beside it are searched then, and these two, five in all.
    """
    if view.kind == "rerun":
        return ()
    days = list(dates.walk(operation.biz_dates))
    if not days:
        today = dates.business_date(operation.intent_time.ToMilliseconds())
        days = [*_beside(view.job.adhoc), today - _DAY, today]
    return tuple(map(dates.midnight_millis, dict.fromkeys(days)))


def _beside(adhoc: pb.ExecuteAdhocWorkflowInstanceSpec) -> list[date]:
    """The date that an ad hoc call has sent, and the days before and after it; none when it has sent none."""
    if not adhoc.HasField("biz_date"):
        return []
    sent = dates.from_message(adhoc.biz_date)
    return [sent, sent - _DAY, sent + _DAY]


def reconcile(view: View) -> Step | None:
    """Search for what an open operation may have made."""
    operation = _open_operation(view.job)
    if operation is None or view.now_ms < view.hints.operation_poll_at_ms:
        return None
    if view.kind == "rerun":
        return _look_at_rerun(view, operation)
    days = search_days(view, operation)
    left = [day for day in days if day not in view.hints.found] or list(days)
    return Act(call=_search(view, operation, left[0]), subject=operation.index)


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


def absorb_search(view: View, subject: int, call: ListInstances, outcome: OutcomeOf[InstancePage]) -> Change:
    """What a search of one date has found; the last date of a search decides."""
    if isinstance(outcome, Failure):
        return Change((), poll_schedule.after_failure(view, outcome))
    page, operation = outcome.body, view.job.operations[subject]
    if operation.outcome not in OPEN:
        return Change((), view.hints.settled())  # a person has decided meanwhile
    mine = tuple(one for seen in page.instances for one in _claim(view, operation, seen))
    cut = (_CUT, _CUT) if page.total_count > len(page.instances) else ()
    found = {**view.hints.found, call.biz_date_millis: (*mine, *cut)}
    return _after_search(view, operation, found)


def _claim(view: View, operation: pb.UpstreamOperation, seen: pb.WorkflowInstance) -> tuple[int, ...]:
    """The instance's id if the operation made it, negative where that is in doubt."""
    taken = {i for op in view.job.operations if op.index != operation.index for i in op.workflow_instance_ids}
    if seen.name != operation.marker or seen.id in taken:
        return ()
    early_ms = operation.intent_time.ToMilliseconds() - seen.create_time.ToMilliseconds()
    if early_ms > view.policy.clock_skew_ms:
        return ()
    return (seen.id,) if early_ms <= view.policy.clock_error_ms else (-seen.id,)


def _after_search(view: View, operation: pb.UpstreamOperation, found: Found) -> Change:
    hints = replace(view.hints.settled(), found=found)
    days = search_days(view, operation)
    if not all(day in found for day in days):
        return Change((), hints)
    settled = view.now_ms >= settled_at_ms(view, operation)
    # Whatever is decided, a later search begins afresh.
    fresh = replace(hints, found={}, operation_poll_at_ms=0)
    if _conclusive(view, operation, found, days, settled=settled):
        return Change((_adopted(view, operation, found, days),), fresh)
    if settled and _may_send_again(view, operation, found):
        return Change((_absent(operation),), fresh)
    if settled:
        return Change((_undecided(operation, days, found),), fresh)
    return Change((), replace(fresh, operation_poll_at_ms=view.now_ms + SEARCH_AGAIN_MS))


def _may_send_again(view: View, operation: pb.UpstreamOperation, found: Found) -> bool:
    """Whether a create that shows nowhere is sent again: by policy, a few times, and only where its dates are known."""
    if not view.policy.resend_absent or not operation.biz_dates or operation.attempts >= MOST_SENDS:
        return False
    return view.job.state in (pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED) and not any(found.values())


def _absent(operation: pb.UpstreamOperation) -> pb.JobEvent:
    row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_NOT_SENT)
    said = f"{operation.action} of {operation.marker!r} made nothing that can be found, and is sent again"
    draft = operation_changed(row, message=said)
    draft.type = pb.EVENT_TYPE_RECONCILED
    return draft


def _conclusive(
    view: View, operation: pb.UpstreamOperation, found: Found, days: Sequence[int], *, settled: bool
) -> bool:
    """Whether exactly what was asked for was found.

    What names no date makes one instance, on a date of its choice, and so does an ad hoc call.
    """
    ids = [one for day in days for one in found[day]]
    if any(one <= 0 for one in ids):
        return False
    if operation.biz_dates:
        return all(len(found[day]) == 1 for day in days)
    return len(ids) == 1 and (settled or view.kind == "adhoc")


def _adopted(view: View, operation: pb.UpstreamOperation, found: Found, days: Sequence[int]) -> pb.JobEvent:
    ids = [one for day in days for one in found[day]]
    row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_ADOPTED, workflow_instance_ids=ids)
    draft = made_draft(view, row, f"found the {len(ids)} instances of {operation.action}")
    draft.type = pb.EVENT_TYPE_RECONCILED
    return draft


def settled_at_ms(view: View, operation: pb.UpstreamOperation) -> int:
    """When upstream's listing must show what the operation made, if it made anything."""
    return operation.intent_time.ToMilliseconds() + view.policy.settle_ms


def _undecided(operation: pb.UpstreamOperation, days: Sequence[int], found: Found) -> pb.JobEvent:
    seen = [str(abs(one)) for day in days for one in found.get(day, ()) if one != _CUT]
    said = (
        f"whether {operation.action} of {operation.marker!r} was executed can't be told: "
        f"{len(seen)} instances were found for {len(days)} dates"
    )
    error = errors.status(
        Reason.UPSTREAM_AMBIGUOUS, said, action=operation.action, marker=operation.marker, found=",".join(seen[:50])
    )
    state = pb.JOB_STATE_NEEDS_ATTENTION
    return pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state, error=error, message=said)


def searches_rerun(view: View) -> bool:
    """Whether a read of an instance is about an open rerun."""
    return view.kind == "rerun" and _open_operation(view.job) is not None


def _look_at_rerun(view: View, operation: pb.UpstreamOperation) -> Step:
    if not view.runs:
        return Act((_undecided(operation, (), {}),))  # it chose its instances by a filter: none is known
    return Act(call=GetInstance(view.runs[0].workflow_instance_id), subject=0)


def absorb_rerun_read(view: View, outcome: OutcomeOf[pb.WorkflowInstance]) -> Change:
    """What an instance that was to be rerun says of the rerun."""
    operation = _open_operation(view.job)
    if isinstance(outcome, Failure):
        return Change((), poll_schedule.after_failure(view, outcome))
    seen = outcome.body
    assert operation is not None  # noqa: S101  # asked by `searches_rerun`
    hints = replace(view.hints.settled(), operation_poll_at_ms=0)
    if _ran_since(view, operation, seen):
        row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_ADOPTED)
        draft = made_draft(view, row, f"{operation.action} was executed")
        draft.type = pb.EVENT_TYPE_RECONCILED
        return Change((draft,), hints)
    if view.now_ms >= settled_at_ms(view, operation):
        return Change((_undecided(operation, (), {}),), hints)
    return Change((), replace(hints, operation_poll_at_ms=view.now_ms + SEARCH_AGAIN_MS))


def _ran_since(view: View, operation: pb.UpstreamOperation, seen: pb.WorkflowInstance) -> bool:
    if not seen.HasField("started_time"):
        return False
    late_ms = seen.started_time.ToMilliseconds() - operation.intent_time.ToMilliseconds()
    return late_ms >= -view.policy.clock_error_ms
