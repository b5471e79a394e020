"""Make a job of a request that passed every check: the job as accepted, its first event, and the commit of both.

Pure: time, randomness and the caller's name are given. The tables say what each kind of request becomes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from google.protobuf.message import Message

from headgate import pb
from headgate.backfill import dates
from headgate.job import event_log
from headgate.messages import feed_view, views
from headgate.store import connection_names, keys, queue_entries
from headgate.store.audit import NOBODY, Origin
from headgate.store.charges import NO_LIMITS, Shares
from headgate.store.commit import Commit, MemoryPolicy, NameClaim, RequestRecord, Wake
from headgate.store.date_claims import hold_of_new
from headgate_server.ports.caller import ANONYMOUS
from headgate_server.ports.clock import write_timestamp
from headgate_server.ports.jobs import LogPage
from headgate_server.requests import date_rules

DEADLINE_SECONDS: Final = 7 * 24 * 3600
"""How long a job may take when its caller does not say."""

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)


@dataclass(frozen=True, slots=True)
class SubmitContext:
    """What a submit is given from outside of it.

    Args:
        now_ms: by the store's clock.
        random: 24 random bytes or more.
        caller: who submits.
        ttl_seconds: how long a job is kept after its end when its caller does not say.
        trace_parent: W3C trace context; empty when there is none.
        origin: who submits, for the audit record.
        shares: how much the caller and the connection may have stored.
        memory: whether the store is nearly full.
        default_connection: the default connection's own name; empty where it has none, or none is known.
    """

    now_ms: int
    random: bytes
    caller: str = ANONYMOUS.name
    ttl_seconds: int = 30 * 24 * 3600
    trace_parent: str = ""
    origin: Origin = NOBODY
    shares: Shares = NO_LIMITS
    memory: MemoryPolicy = MemoryPolicy.SPARE
    default_connection: str = ""


@dataclass(frozen=True, slots=True)
class JobKind:
    """What one kind of request becomes.

    Args:
        word: name of the spec in a Job, and beginning of ids that headgate chooses.
        until: how far the job goes when its caller does not say.
        add_runs: adds the rows that it begins with to those of a job, by its spec and dates.
        days: the business dates that its spec asks for one by one, oldest first, each once.
    """

    word: str
    until: Callable[[Any], pb.Until.ValueType]
    add_runs: Callable[[Any, Any, Sequence[date]], None]
    days: Callable[[Any], Sequence[date]] = lambda _spec: ()


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job ready to be recorded.

    Args:
        job_id: its id.
        job: the job as accepted, at revision 1.
        commit: what records it.
        digest: `body_digest` of its request.
    """

    job_id: str
    job: pb.Job
    commit: Commit
    digest: str

    def page(self) -> LogPage:
        """The log as it stands when the commit is done."""
        event = self.commit.events[0]
        return LogPage(1, self.job.state, 1, 1, (event,), event, self.commit.body)


def _per_date(runs: Any, _spec: Any, days: Sequence[date]) -> None:
    for index, day in enumerate(days):
        dates.write(_add_row(runs, index, pb.RUN_STATE_PLANNED).biz_date, day)


def _per_id(runs: Any, spec: Any, _days: Sequence[date]) -> None:
    for index, id_ in enumerate(spec.ids):
        _add_row(runs, index, pb.RUN_STATE_CREATED).workflow_instance_id = id_


def _add_row(runs: Any, index: int, state: pb.RunState.ValueType) -> pb.InstanceRun:
    row: pb.InstanceRun = runs.add(index=index, state=state, attempt=1, operation_index=-1)
    return row


def _adhoc_run(runs: Any, spec: pb.ExecuteAdhocWorkflowInstanceSpec, _days: Sequence[date]) -> None:
    row = _add_row(runs, 0, pb.RUN_STATE_PLANNED)
    if spec.HasField("biz_date"):
        row.biz_date.CopyFrom(spec.biz_date)


def _triggered_run(runs: Any, _spec: pb.TriggerFlowSpec, _days: Sequence[date]) -> None:
    _add_row(runs, 0, pb.RUN_STATE_PLANNED)


def _cancelled_run(runs: Any, spec: pb.CancelFlowInstanceSpec, _days: Sequence[date]) -> None:
    _add_row(runs, 0, pb.RUN_STATE_CREATED).flow_instance_id = spec.flow_instance_id


def _per_task(runs: Any, spec: Any, _days: Sequence[date]) -> None:
    for index, id_ in enumerate(spec.ids):
        _add_row(runs, index, pb.RUN_STATE_PLANNED).task_instance_id = id_


def _create_days(spec: pb.CreateWorkflowInstancesSpec) -> Sequence[date]:
    if spec.type != pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA:
        return ()
    return date_rules.days_of(spec.periods.biz_dates)


def _create_until(spec: pb.CreateWorkflowInstancesSpec) -> pb.Until.ValueType:
    return pb.UNTIL_FINISHED if spec.auto_start_enabled else pb.UNTIL_ACCEPTED


def _finished(_: Any) -> pb.Until.ValueType:
    return pb.UNTIL_FINISHED


def _accepted(_: Any) -> pb.Until.ValueType:
    return pb.UNTIL_ACCEPTED


KINDS: Final[Mapping[type[Message], JobKind]] = {
    pb.CreateWorkflowInstancesRequest: JobKind("create", _create_until, _per_date, _create_days),
    pb.StartWorkflowInstancesRequest: JobKind("start", _finished, _per_id),
    pb.StopWorkflowInstancesRequest: JobKind("stop", _finished, _per_id),
    pb.RerunWorkflowInstancesRequest: JobKind("rerun", _accepted, _per_id),
    pb.ExecuteAdhocWorkflowInstanceRequest: JobKind("adhoc", _finished, _adhoc_run),
    pb.CreateBackfillRequest: JobKind("backfill", _finished, _per_date, date_rules.days),
    pb.TriggerFlowRequest: JobKind("trigger_flow", _finished, _triggered_run),
    pb.CancelFlowInstanceRequest: JobKind("cancel_flow_instance", _finished, _cancelled_run),
    pb.RerunTaskInstancesRequest: JobKind("rerun_tasks", _finished, _per_task),
    pb.SetSuccessTaskInstancesRequest: JobKind("set_success_tasks", _finished, _per_task),
    pb.StopTaskInstancesRequest: JobKind("stop_tasks", _finished, _per_task),
    pb.SuspendTaskInstancesRequest: JobKind("suspend_tasks", _finished, _per_task),
    pb.ResumeTaskInstancesRequest: JobKind("resume_tasks", _finished, _per_task),
}
"""Every request that makes a job."""

_NAMING: Final = frozenset({"create", "backfill", "adhoc"})
"""Kinds whose jobs give their instances a name: a search must not find another job's by it."""


def new_job(request: Any, context: SubmitContext) -> NewJob:
    """The job that a checked request makes; `request` is one of KINDS."""
    # What is asked of the spec is asked of the request's, held once: to reach into a message that is new costs more.
    kind, spec = KINDS[type(request)], request.spec
    job_id = request.job_id or _job_id(kind.word, context.random)
    days = kind.days(spec)
    event = _accepted_event(request, kind, spec, days, job_id, context)
    job, digest, accepted = event.job, body_digest(request), event.SerializeToString()
    record = RequestRecord(keys.request(context.caller, request.request_id), digest) if request.request_id else None
    tick = queue_entries.tick(job_id, nonce=context.random[8:16].hex(), now_ms=context.now_ms)
    connection = _connection(request, context)
    change = Commit(
        pb.JOB_STATE_UNSPECIFIED,
        job,
        0,
        (accepted,),
        wake=Wake(tick),
        request=record,
        claim=NameClaim(connection, spec.project_id, spec.name, _uid(context)) if kind.word in _NAMING else None,
        hold=hold_of_new(connection, spec, days) if kind.word == "backfill" else None,
        body=job.SerializeToString(),
        origin=context.origin,
        shown=feed_view.shown_first(event, accepted) if views.has_payloads(spec) else (),
        shares=context.shares,
        memory=context.memory,
    )
    return NewJob(job_id, job, change, digest)


def body_digest(request: Any) -> str:
    """What stays the same when a request is repeated: `keys.digest` over all of it but its request_id."""
    body = type(request)()
    body.CopyFrom(request)
    body.ClearField("request_id")
    return keys.digest(request.DESCRIPTOR.full_name.encode() + body.SerializeToString(deterministic=True))


def _accepted_event(
    request: Any, kind: JobKind, spec: Any, days: Sequence[date], job_id: str, context: SubmitContext
) -> pb.JobEvent:
    event = pb.JobEvent(
        revision=1,
        type=pb.EVENT_TYPE_ACCEPTED,
        state=pb.JOB_STATE_QUEUED,
        actor=context.caller,
        message="accepted",
        trace_parent=context.trace_parent,
    )
    write_timestamp(event.event_time, context.now_ms)
    job = event.job
    # In place, member by member: handing messages to a constructor costs three times as much.
    job.name = keys.job_name(job_id)
    job.uid = _uid(context)
    job.until = request.until or kind.until(spec)
    job.connection = _connection(request, context)
    job.creator = context.caller
    kind.add_runs(job.runs, spec, days)
    getattr(job, kind.word).CopyFrom(spec)
    _set_options(job, request, context)
    event_log.begin(event)
    return event


def _uid(context: SubmitContext) -> str:
    return context.random[16:24].hex()


def _connection(request: Any, context: SubmitContext) -> str:
    return connection_names.resolved(request.connection, context.default_connection)


def _set_options(job: pb.Job, request: Any, context: SubmitContext) -> None:
    job.ttl_after_end.seconds = context.ttl_seconds
    if not request.HasField("options"):
        write_timestamp(job.deadline_time, context.now_ms + DEADLINE_SECONDS * 1000)
        return
    options = request.options
    job.priority = options.priority
    if options.labels:
        job.labels.update(options.labels)
    write_timestamp(job.deadline_time, context.now_ms + allowed_ms(options))
    if options.HasField("ttl_after_end"):
        job.ttl_after_end.CopyFrom(options.ttl_after_end)


def allowed_ms(asked: pb.JobOptions | pb.RetryJobRequest) -> int:
    """How long a job may take, by what its caller asked for, in ms."""
    return asked.deadline.ToMilliseconds() if asked.HasField("deadline") else DEADLINE_SECONDS * 1000


def _job_id(word: str, random: bytes) -> str:
    number = int.from_bytes(random[:8], "big")
    return f"{word.replace('_', '-')}-" + "".join([_PAIRS[number >> place & 1023] for place in (0, 10, 20, 30, 40, 50)])
