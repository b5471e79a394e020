"""What a decision says: act, wait, or rest; and what an outcome changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.job import event_log
from headgate.process.caller_rules import WORKER
from headgate_worker.core.model import record_size
from headgate_worker.core.model.calls import Call, Outcome, StartInstances
from headgate_worker.core.model.event_text import described
from headgate_worker.core.model.view import Hints, View


@dataclass(frozen=True, slots=True)
class Act:
    """Commit `drafts`, then send `call` if there is one.

    Args:
        drafts: events without revision and time; a state of UNSPECIFIED means that the job's state stays.
        call: what to ask of upstream, after the commit.
        subject: what the call is about: the index of an operation or of a run; -1 when the call says it itself.
        until_ms: the call is left out, as if it had been refused, when the quota has no room for it before this; 0 is
            for calls that wait as long as it takes.
        since_ms: an observation that others have read at this time or later will do for the call; 0 when none will.
    """

    drafts: tuple[pb.JobEvent, ...] = ()
    call: Call | None = None
    subject: int = -1
    until_ms: int = 0
    since_ms: int = 0

    @property
    def needs_commit(self) -> bool:
        """Whether the store must confirm, before the call goes out, that the job is still as it was decided on.

        Events that are committed confirm it. A start has none, and must not go out once a cancel or a pause is on
        record: it is preceded by a commit without events, which is refused when the job has moved on.
        """
        return bool(self.drafts) or isinstance(self.call, StartInstances)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until_ms`; `poll_ms` is when upstream is to be asked next, 0 when that is not known."""

    until_ms: int
    poll_ms: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Rest:
    """The job has ended; only a retry gives it more to do."""


Step = Act | Wait | Rest


@dataclass(frozen=True, slots=True)
class Change:
    """What an outcome changes: events to commit, and the hints that hold then."""

    drafts: tuple[pb.JobEvent, ...]
    hints: Hints


def timestamp(at_ms: int) -> Timestamp:
    """A time in ms since 1970 as a message."""
    moment = Timestamp()
    moment.FromMilliseconds(at_ms)
    return moment


def stamp(job: pb.Job, draft: pb.JobEvent, *, now_ms: int) -> pb.JobEvent:
    """The event that a draft becomes when it follows `job`."""
    event = pb.JobEvent()
    event.CopyFrom(draft)
    event.revision = job.revision + 1
    event.event_time.CopyFrom(timestamp(now_ms))
    event.actor = event.actor or WORKER
    event.state = event.state or job.state
    record_size.fit(job, event)
    if event.runs:
        event.counts.CopyFrom(event_log.count_runs(_with_rows(job, event)))
    event.message = event.message or described(event)
    return event


def _with_rows(job: pb.Job, event: pb.JobEvent) -> list[pb.InstanceRun]:
    rows = {run.index: run for run in job.runs}
    rows.update({run.index: run for run in event.runs})
    return list(rows.values())


def apply(job: pb.Job, drafts: tuple[pb.JobEvent, ...], *, now_ms: int) -> tuple[pb.Job, tuple[pb.JobEvent, ...]]:
    """The job after the drafts, and the events that they became."""
    events: list[pb.JobEvent] = []
    for draft in drafts:
        event = stamp(job, draft, now_ms=now_ms)
        job = event_log.fold(job, event)
        events.append(event)
    return job, tuple(events)


def after(view: View, drafts: tuple[pb.JobEvent, ...]) -> View:
    """The view once the drafts are committed."""
    job, _ = apply(view.job, drafts, now_ms=view.now_ms)
    return replace(view, job=job)


def runs_changed(*runs: pb.InstanceRun, message: str = "") -> pb.JobEvent:
    """A draft that replaces rows of `runs`."""
    return pb.JobEvent(type=pb.EVENT_TYPE_RUN_CHANGED, runs=runs, message=message)


def operation_changed(operation: pb.UpstreamOperation, *runs: pb.InstanceRun, message: str = "") -> pb.JobEvent:
    """A draft that replaces an operation's row, and rows of `runs` with it."""
    return pb.JobEvent(type=pb.EVENT_TYPE_OPERATION_CHANGED, operations=[operation], runs=runs, message=message)


def run_with(run: pb.InstanceRun, **fields: object) -> pb.InstanceRun:
    """A copy of a row with some fields replaced; None clears a field."""
    changed = pb.InstanceRun()
    changed.CopyFrom(run)
    _replace(changed, fields)
    return changed


def operation_with(operation: pb.UpstreamOperation, **fields: object) -> pb.UpstreamOperation:
    """A copy of an operation's row with some fields replaced; None clears a field."""
    changed = pb.UpstreamOperation()
    changed.CopyFrom(operation)
    _replace(changed, fields)
    return changed


def with_request_id(operation: pb.UpstreamOperation, outcome: Outcome) -> pb.UpstreamOperation:
    """A copy of an operation's row with the id of the request whose outcome this is, where upstream has told it."""
    return operation_with(
        operation, upstream_request_ids=[*operation.upstream_request_ids, *filter(None, [outcome.request_id])]
    )


def _replace(message: Message, fields: Mapping[str, object]) -> None:
    for name, value in fields.items():
        message.ClearField(name)
        if value is not None:
            message.MergeFrom(type(message)(**{name: value}))
