"""Jobs, events, rules and notifications for tests."""

from __future__ import annotations

from headgate import pb
from headgate.backfill import dates
from headgate.messages import filters
from headgate_worker.core.model.steps import timestamp
from headgate_worker.notifications.notification import Notification
from headgate_worker.notifications.rules import Rule

RUNNING, FAILED, PAUSED = pb.JOB_STATE_RUNNING, pb.JOB_STATE_FAILED, pb.JOB_STATE_PAUSED
WARNING, CHANGED = pb.EVENT_TYPE_WARNING, pb.EVENT_TYPE_STATE_CHANGED


def job(state: pb.JobState.ValueType = FAILED, **labels: str) -> pb.Job:
    """A backfill with payloads and runs."""
    found = pb.Job(name="jobs/orders", uid="u-1", revision=9, state=state, creator="etl", labels=labels)
    found.backfill.workflow_parameters = "password=hunter2"
    found.error.message = "load_orders failed"
    found.counts.total, found.counts.failed = 2, 1
    run = found.runs.add(index=0, workflow_instance_id=7, state=pb.RUN_STATE_FAILED)
    run.failure_digest.log_tail = "hunter2"
    return found


def event(
    state: pb.JobState.ValueType = FAILED, kind: pb.EventType.ValueType = CHANGED, message: str = "it failed"
) -> pb.JobEvent:
    """An event at revision 9."""
    found = pb.JobEvent(revision=9, type=kind, state=state, actor="worker", message=message)
    found.event_time.CopyFrom(timestamp(1_738_713_600_000))
    found.error.code, found.error.message = 9, "load_orders failed"
    run = found.runs.add(index=0, workflow_instance_id=7, state=pb.RUN_STATE_FAILED, attempt=1)
    run.biz_date.CopyFrom(dates.to_message(dates.business_date(1_738_713_600_000)))
    run.failure_digest.log_tail = "hunter2"
    return found


def rule(
    *,
    states: tuple[pb.JobState.ValueType, ...] = (),
    events: tuple[pb.EventType.ValueType, ...] = (),
    wanted: str = "",
    text: str = "",
) -> Rule:
    """A rule named r to the endpoint e."""
    return Rule("r", "e", filters.parse(wanted), frozenset(states), frozenset(events), text)


def told(number: int = 1) -> Notification:
    """One of several notifications."""
    return Notification(
        f"u.{number}.r", "headgate.v1.job.warning", "jobs/a", "2025-02-05T00:00:00Z", "text", {"n": number}
    )
