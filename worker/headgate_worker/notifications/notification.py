"""What is told: one event of a job by one rule, or a gap of the feed. Pure. Payloads of jobs have no place in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.json_format import Error, MessageToDict

from headgate import pb
from headgate.backfill import dates
from headgate.messages.feed_entries import FeedId
from headgate_worker.notifications import texts
from headgate_worker.notifications.rules import Form, Rule

MAX_RUNS: Final = 50
"""Most runs of an event that are told; their number is."""

_JOB_FIELDS: Final = (
    *("name", "uid", "revision", "state", "connection", "creator", "priority"),
    *("create_time", "start_time", "update_time", "end_time", "deadline_time", "counts"),
)


class UntellableEvent(ValueError):
    """An event, or its job, with what JSON can't say: a damaged row, such as a time beyond the year 9999."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing to tell to one endpoint.

    Args:
        id: the same whenever the same is told again: uid, revision and rule.
        type: type of the CloudEvent.
        subject: the job's name.
        time: of the event, as RFC 3339 writes it.
        text: for people.
        data: for programs, ready for JSON.
    """

    id: str
    type: str
    subject: str
    time: str
    text: str
    data: Mapping[str, Any] = field(repr=False)


def of_event(rule: Rule, form: Form, event: pb.JobEvent, job: pb.Job, before: pb.JobState.ValueType) -> Notification:
    """What a rule tells of an event.

    Args:
        rule: the rule.
        form: of its endpoint; says how text is escaped.
        event: the event.
        job: as it was after the event.
        before: its state before.

    Raises:
        UntellableEvent: it can't be written as JSON.
    """
    try:
        return _of_event(rule, form, event, job, before)
    except (ValueError, Error) as error:
        raise UntellableEvent(str(error)) from None


def _of_event(rule: Rule, form: Form, event: pb.JobEvent, job: pb.Job, before: pb.JobState.ValueType) -> Notification:
    said = {"rule": rule.name, "job": _job(job), "event": _event(event, before)}
    return Notification(
        f"{job.uid}.{event.revision}.{rule.name}",
        f"headgate.v1.job.{texts.type_word(event.type).lower()}",
        job.name,
        event.event_time.ToJsonString(),
        texts.fill(rule.text, texts.values_of(rule.name, event, job, before), form),
        said,
    )


def of_gap(after: FeedId, until: FeedId) -> Notification:
    """What each endpoint is told when entries of the feed are gone that nothing was told of."""
    first, last = (_time(at[0]) for at in (after, until))
    return Notification(
        f"gap.{after[0]}-{after[1]}",
        "headgate.v1.feed.gap",
        "",
        last,
        f"headgate: events between {first} and {last} are not told: the feed was trimmed, or lost. Look at the jobs.",
        {"after": first, "until": last},
    )


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _job(job: pb.Job) -> dict[str, Any]:
    shown = pb.Job()
    shown.CopyFrom(job)
    for field_, _ in job.ListFields():
        if field_.name not in _JOB_FIELDS:
            shown.ClearField(field_.name)  # type: ignore[arg-type]  # the name of one of its fields
    found: dict[str, Any] = MessageToDict(shown)
    found |= {"kind": job.WhichOneof("spec") or "", "labels": dict(job.labels)}
    return found | ({"error": _error(job)} if job.HasField("error") else {})


def _event(event: pb.JobEvent, before: pb.JobState.ValueType) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": f"EVENT_TYPE_{texts.type_word(event.type)}",
        "revision": event.revision,
        "time": event.event_time.ToJsonString(),
        "state": f"JOB_STATE_{texts.state_word(event.state)}",
        "stateBefore": f"JOB_STATE_{texts.state_word(before)}",
        "actor": event.actor,
        "message": event.message,
        "runCount": len(event.runs),
        "runs": [_run(run) for run in event.runs[:MAX_RUNS]],
    }
    return found | ({"error": _error(event)} if event.HasField("error") else {})


def _run(run: pb.InstanceRun) -> dict[str, Any]:
    shown = pb.InstanceRun(
        index=run.index, state=run.state, attempt=run.attempt, workflow_instance_id=run.workflow_instance_id
    )
    day = {"bizDate": dates.from_message(run.biz_date).isoformat()} if run.HasField("biz_date") else {}
    return {**MessageToDict(shown), **day}


def _error(holder: pb.Job | pb.JobEvent) -> dict[str, Any]:
    return {"code": holder.error.code, "message": holder.error.message}
