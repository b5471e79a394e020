"""Make a job of a request that passed every check: the job as accepted, its first event, and the commit of both.

Pure: time, randomness and the caller's name are given. The tables say what each kind of request becomes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from google.protobuf.message import Message

from headgate import pb
from headgate.backfill import dates
from headgate.job import event_log
from headgate.messages import feed_view
from headgate.store import connection_names, keys, queue_entries
from headgate.store.audit import NOBODY, Origin
from headgate.store.charges import NO_LIMITS, Shares
from headgate.store.commit import Commit, Memory, NameClaim, RequestRecord, Wake
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
class Chance:
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
    memory: Memory = Memory.SPARE
    default_connection: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of request becomes.

    Args:
        word: name of the spec in a Job, and beginning of ids that headgate chooses.
        until: how far the job goes when its caller does not say.
        runs: the rows it begins with.
    """

    word: str
    until: Callable[[Any], pb.Until.ValueType]
    runs: Callable[[Any], Iterable[pb.InstanceRun]]


@dataclass(frozen=True, slots=True)
class Submission:
    """A job ready to be recorded.

    Args:
        job: the job as accepted, at revision 1.
        commit: what records it.
        digest: what tells one request body from another.
    """

    job: pb.Job
    commit: Commit
    digest: str

    def page(self) -> LogPage:
        """The log as it stands when the commit is done."""
        event = self.commit.events[0]
        return LogPage(1, self.job.state, 1, 1, (event,), event, self.commit.body)


def _per_date(days: Iterable[date]) -> Iterator[pb.InstanceRun]:
    for index, day in enumerate(days):
        row = _row(index, pb.RUN_STATE_PLANNED)
        dates.write(row.biz_date, day)
        yield row


def _per_id(ids: Iterable[int]) -> Iterator[pb.InstanceRun]:
    for index, id_ in enumerate(ids):
        yield _row(index, pb.RUN_STATE_CREATED, workflow_instance_id=id_)


def _row(index: int, state: pb.RunState.ValueType, **members: Any) -> pb.InstanceRun:
    return pb.InstanceRun(index=index, state=state, attempt=1, operation_index=-1, **members)


def _create_runs(spec: pb.CreateWorkflowInstancesSpec) -> Iterator[pb.InstanceRun]:
    if spec.type != pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA:
        return iter(())
    return _per_date(date_rules.days_of(spec.periods.biz_dates))


def _adhoc_runs(spec: pb.ExecuteAdhocWorkflowInstanceSpec) -> Iterator[pb.InstanceRun]:
    yield _row(0, pb.RUN_STATE_PLANNED, **({"biz_date": spec.biz_date} if spec.HasField("biz_date") else {}))


def _flow_runs(spec: pb.TriggerFlowSpec) -> Iterator[pb.InstanceRun]:
    yield _row(0, pb.RUN_STATE_PLANNED)


def _flow_run(spec: pb.CancelFlowInstanceSpec) -> Iterator[pb.InstanceRun]:
    yield _row(0, pb.RUN_STATE_CREATED, flow_instance_id=spec.flow_instance_id)


def _create_until(spec: pb.CreateWorkflowInstancesSpec) -> pb.Until.ValueType:
    return pb.UNTIL_FINISHED if spec.auto_start_enabled else pb.UNTIL_ACCEPTED


def _finished(_: Any) -> pb.Until.ValueType:
    return pb.UNTIL_FINISHED


def _accepted(_: Any) -> pb.Until.ValueType:
    return pb.UNTIL_ACCEPTED


KINDS: Final[Mapping[type[Message], Kind]] = {
    pb.CreateWorkflowInstancesRequest: Kind("create", _create_until, _create_runs),
    pb.StartWorkflowInstancesRequest: Kind("start", _finished, lambda spec: _per_id(spec.ids)),
    pb.StopWorkflowInstancesRequest: Kind("stop", _finished, lambda spec: _per_id(spec.ids)),
    pb.RerunWorkflowInstancesRequest: Kind("rerun", _accepted, lambda spec: _per_id(spec.ids)),
    pb.ExecuteAdhocWorkflowInstanceRequest: Kind("adhoc", _finished, _adhoc_runs),
    pb.CreateBackfillRequest: Kind("backfill", _finished, lambda spec: _per_date(date_rules.days(spec))),
    pb.TriggerFlowRequest: Kind("trigger_flow", _finished, _flow_runs),
    pb.CancelFlowInstanceRequest: Kind("cancel_flow_instance", _finished, _flow_run),
}
"""Every request that makes a job."""


def submission(request: Any, chance: Chance) -> Submission:
    """The job that a checked request makes; `request` is one of KINDS."""
    job_id = request.job_id or _job_id(KINDS[type(request)].word, chance.random)
    job, event = _recorded(request, job_id, chance)
    digest = body_digest(request)
    record = RequestRecord(keys.request(chance.caller, request.request_id), digest) if request.request_id else None
    tick = queue_entries.tick(job_id, nonce=chance.random[8:16].hex(), now_ms=chance.now_ms)
    unborn, accepted = pb.JOB_STATE_UNSPECIFIED, event.SerializeToString()
    change = Commit(
        unborn,
        job,
        0,
        (accepted,),
        wake=Wake(tick),
        request=record,
        claim=_claim(job),
        hold=hold_of_new(job),
        body=job.SerializeToString(),
        origin=chance.origin,
        shown=feed_view.shown_first(event, accepted),
        shares=chance.shares,
        memory=chance.memory,
    )
    return Submission(job, change, digest)


def _claim(job: pb.Job) -> NameClaim | None:
    """The name that the job will give instances, if it makes any: a search must not find another job's by it."""
    kind = job.WhichOneof("spec")
    if kind not in ("create", "backfill", "adhoc"):
        return None
    spec = getattr(job, kind)
    return NameClaim(job.connection, spec.project_id, spec.name, job.uid)


def body_digest(request: Any) -> str:
    """What stays the same when a request is repeated: `keys.digest` over all of it but its request_id."""
    body = type(request)()
    body.CopyFrom(request)
    body.ClearField("request_id")
    return keys.digest(request.DESCRIPTOR.full_name.encode() + body.SerializeToString(deterministic=True))


def _recorded(request: Any, job_id: str, chance: Chance) -> tuple[pb.Job, pb.JobEvent]:
    event = pb.JobEvent(
        revision=1,
        type=pb.EVENT_TYPE_ACCEPTED,
        state=pb.JOB_STATE_QUEUED,
        actor=chance.caller,
        message="accepted",
        trace_parent=chance.trace_parent,
    )
    write_timestamp(event.event_time, chance.now_ms)
    _fill(event.job, request, job_id, chance)
    accepted = event_log.fold(None, event)
    event.job.CopyFrom(accepted)
    return accepted, event


def _fill(job: pb.Job, request: Any, job_id: str, chance: Chance) -> None:
    # In place, member by member: handing messages to a constructor costs three times as much.
    kind = KINDS[type(request)]
    job.name = keys.job_name(job_id)
    job.uid = chance.random[16:24].hex()
    job.until = request.until or kind.until(request.spec)
    job.connection = connection_names.resolved(request.connection, chance.default_connection)
    job.creator = chance.caller
    job.runs.extend(kind.runs(request.spec))
    getattr(job, kind.word).CopyFrom(request.spec)
    _set_options(job, request.options, chance)


def _set_options(job: pb.Job, options: pb.JobOptions, chance: Chance) -> None:
    job.priority = options.priority
    if options.labels:
        job.labels.update(options.labels)
    write_timestamp(job.deadline_time, chance.now_ms + allowed_ms(options))
    job.ttl_after_end.seconds = chance.ttl_seconds
    if options.HasField("ttl_after_end"):
        job.ttl_after_end.CopyFrom(options.ttl_after_end)


def allowed_ms(asked: pb.JobOptions | pb.RetryJobRequest) -> int:
    """How long a job may take, by what its caller asked for, in ms."""
    return asked.deadline.ToMilliseconds() if asked.HasField("deadline") else DEADLINE_SECONDS * 1000


def _job_id(word: str, random: bytes) -> str:
    number = int.from_bytes(random[:8], "big")
    return f"{word.replace('_', '-')}-" + "".join([_PAIRS[number >> place & 1023] for place in (0, 10, 20, 30, 40, 50)])
