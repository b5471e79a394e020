"""Take a submit: record the job once, however often it is asked for."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from google.rpc.error_details_pb2 import PreconditionFailure, ResourceInfo

from headgate import pb
from headgate.backfill import dates
from headgate.reasons import Reason
from headgate.store import commit, date_claims, keys
from headgate.store.charges import NO_LIMITS, Exceeded, Shares
from headgate_server.auth import permissions
from headgate_server.errors.exceptions import JobDamaged, Refused, ServerError, StoreFull
from headgate_server.errors.job_errors import deleted_job
from headgate_server.errors.share_exceeded import exceeded, of_connection
from headgate_server.jobs.new_job import NewJob, SubmitContext, new_job
from headgate_server.ports.call import Call
from headgate_server.ports.caller import Caller
from headgate_server.ports.clock import StoreTime
from headgate_server.ports.default_name import DefaultName
from headgate_server.ports.jobs import LogPage, StoredJob

_RANDOM_BYTES: Final = 24

STORED_SECONDS: Final = 60.0
"""When to ask again for room for a job: it comes with deletions, of callers or of what has expired."""

MOST_VIOLATIONS: Final = 50
"""Held dates that one refusal names; the details of an error must stay below 8 kB."""


class SubmitStore(Protocol):
    """Port: records and loads jobs."""

    async def submit(self, change: commit.Commit) -> commit.CommitOutcome:
        """Make a change, all or nothing."""

    async def load(self, job_id: str) -> StoredJob | None:
        """A job as it stands; None when there is none."""

    async def recorded(self, request_key: str) -> commit.Duplicate | None:
        """What a request id was used for; None when it is fresh."""


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """A job that stands recorded.

    Args:
        job_id: which job.
        uid: its uid, since the id may be another job's by the time that it is watched.
        body: the Job as bytes.
        began: what this very submit has recorded; None where the job is an earlier one's.
    """

    job_id: str
    uid: str
    body: bytes
    began: NewJob | None

    @property
    def page(self) -> LogPage | None:
        """The job's log, where this very submit began it."""
        return self.began.page() if self.began is not None else None


class PlanVerifier(Protocol):
    """Port: knows what a backfill would do now."""

    async def verify_token(self, request: pb.CreateBackfillRequest, call: Call) -> None:
        """Refuse a backfill that would go otherwise than its plan_token says."""


class Submitter:
    """Submits of all kinds.

    Args:
        plans: asked where a submit insists on a plan.
        ttl_seconds: how long a job is kept after its end when its caller does not say.
        connection_shares: how much a connection may have stored; a caller's own share is in its limits.
        new_work: what becomes of a commit that makes new work, by how full the store is.
        default: knows what the empty name of a connection stands for; None for itself.
    """

    def __init__(
        self,
        jobs: SubmitStore,
        clock: StoreTime,
        plans: PlanVerifier,
        *,
        ttl_seconds: int,
        connection_shares: Shares = NO_LIMITS,
        new_work: Callable[[], commit.MemoryPolicy] = lambda: commit.MemoryPolicy.SPARE,
        default: DefaultName | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._jobs = jobs
        self._plans = plans
        self._clock = clock
        self._new_work = new_work
        self._connection_shares = connection_shares
        self._ttl_seconds = ttl_seconds
        self._default = default
        self._random = random

    async def submit(self, request: Any, call: Call) -> SubmitResult:
        """Record the job of a request that has been checked; with validate_only make the job and record nothing.

        Raises:
            Refused: its ids are taken, or it would go otherwise than planned.
            StoreUnavailable: whether it was recorded is not known; the same request_id finds out.
            StoreFull: nothing was recorded, since the store is full or nearly so.
        """
        context = self._context(call)
        await self._verify_token(request, call, context.caller)
        made = new_job(request, context)
        if request.validate_only:
            return await self._validated(made, call)
        match await self._jobs.submit(made.commit):
            case commit.Committed():
                call.audit.about(made.job, changed=True)
                return _accepted(made)
            case commit.Duplicate() as used:
                return await self._repeated(made, used, call)
            case date_claims.Joined(job_id, uid):
                return await self._earlier(job_id, uid, made, call, changed=True)
            case commit.Stale():
                raise await self._taken(made.job_id, call.caller)
            case other:
                raise _refusal(made, other)

    async def _verify_token(self, request: Any, call: Call, caller: str) -> None:
        """Keep a submit to its plan, if it has one."""
        if not isinstance(request, pb.CreateBackfillRequest) or not request.plan_token:
            return
        id_ = request.request_id
        # The repeat of a submit would find its dates held, by the job that it is to be answered with.
        if not id_ or await self._jobs.recorded(keys.request(caller, id_)) is None:
            await self._plans.verify_token(request, call)

    def _context(self, call: Call) -> SubmitContext:
        limits, connection = call.caller.limits, self._connection_shares
        return SubmitContext(
            self._clock.now_ms(),
            self._random(_RANDOM_BYTES),
            call.caller.name,
            self._ttl_seconds,
            call.trace_parent,
            call.audit.origin,
            Shares(limits.max_jobs, limits.max_stored_bytes, connection.connection_jobs, connection.connection_bytes),
            self._new_work(),
            default_connection=self._default.name if self._default is not None else "",
        )

    async def _validated(self, made: NewJob, call: Call) -> SubmitResult:
        if await self._jobs.load(made.job_id) is not None:
            raise await self._taken(made.job_id, call.caller)
        return _accepted(made)

    async def _repeated(self, made: NewJob, used: commit.Duplicate, call: Call) -> SubmitResult:
        if used.digest != made.digest:
            metadata = {"job": keys.job_name(used.job_id)}
            raise Refused(Reason.REQUEST_ID_REUSED, "request_id was used with another body", metadata=metadata)
        return await self._earlier(used.job_id, used.uid, made, call)

    async def _earlier(self, job_id: str, uid: str, made: NewJob, call: Call, *, changed: bool = False) -> SubmitResult:
        """The job that a submit was answered with before, or joins: that very one, for who may see it."""
        stored = await self._jobs.load(job_id)
        if stored is None:
            raise deleted_job(job_id)
        if not (uid == stored.life.uid if uid else _may_be_of(made, stored.job)):
            raise deleted_job(job_id)
        if not call.caller.may_use(stored.life.connection):
            raise permissions.denied_job(job_id)
        call.audit.of(job_id, stored.life, changed=changed)
        return SubmitResult(job_id, stored.life.uid, stored.body, None)

    async def _taken(self, job_id: str, caller: Caller) -> Refused:
        name = keys.job_name(job_id)
        try:
            stored = await self._jobs.load(job_id)
        except JobDamaged:
            stored = None  # what it was is not known, but it has the id
        job = stored.job if stored else pb.Job()
        # Of a job that the caller may not see only its existence is shown.
        state = pb.JobState.Name(job.state) if stored and caller.may_use(job.connection) else ""
        metadata = {"job": name, "state": state.removeprefix("JOB_STATE_")}
        resource = ResourceInfo(resource_type="headgate.v1.Job", resource_name=name)
        return Refused(Reason.JOB_EXISTS, f"{name} exists already", metadata=metadata, details=(resource,))


def _accepted(made: NewJob) -> SubmitResult:
    return SubmitResult(made.job_id, made.job.uid, made.commit.body, made)


def _refusal(made: NewJob, answer: commit.CommitOutcome) -> ServerError:
    """The error for a job that was not recorded."""
    match answer:
        case date_claims.Overlapping(taken):
            return _not_covered(made, taken) if _joins(made) else overlapping(taken)
        case date_claims.LineFull(waiting):
            return _line_full(waiting, made.job.connection)
        case Exceeded(quota, limit, subject):
            return exceeded(quota, limit, subject, STORED_SECONDS)
        case commit.NoRoom():
            return StoreFull()
        case _:
            return JobDamaged(made.job_id)


def overlapping(taken: Mapping[str, str]) -> Refused:
    """BACKFILL_OVERLAP; `taken` maps "yyyymmdd" to the job that holds it."""
    others = sorted(set(map(keys.job_name, taken.values())))
    violations = [
        PreconditionFailure.Violation(
            type="BIZ_DATE_HELD",
            subject=dates.dashed(day),
            description=f"{keys.job_name(job_id)} has this date",
        )
        for day, job_id in sorted(taken.items())[:MOST_VIOLATIONS]
    ]
    message = f"{len(taken)} of the dates are those of {others[0]}{' and others' if len(others) > 1 else ''}"
    return _overlap(message, {"job": others[0], "dates": str(len(taken))}, violations)


def _may_be_of(made: NewJob, job: pb.Job) -> bool:
    """Whether a job can be the one of an earlier submit, by what both say: for records without a uid."""
    same = (job.connection, job.WhichOneof("spec")) == (made.job.connection, made.job.WhichOneof("spec"))
    return same and (job.creator == made.job.creator or _joins(made))


def _joins(made: NewJob) -> bool:
    return made.commit.hold is not None and made.commit.hold.mode == date_claims.JOIN


def _not_covered(made: NewJob, taken: Mapping[str, str]) -> Refused:
    """BACKFILL_OVERLAP for one that would join: the job that has most of its dates, and the dates that one has not."""
    days = made.commit.hold.days if made.commit.hold else ()
    most, covered = Counter(taken.values()).most_common(1)[0]
    left = [day for day in days if taken.get(day) != most]
    violations = [
        PreconditionFailure.Violation(
            type="BIZ_DATE_NOT_COVERED", subject=dates.dashed(day), description=_who_has(day, most, taken)
        )
        for day in left[:MOST_VIOLATIONS]
    ]
    name = keys.job_name(most)
    message = (
        f"{name} has only {covered} of the {len(days)} dates, not {dates.dashed(left[0])}: "
        "ask for dates that one job has, or that none has, or choose overlap QUEUE_AFTER"
    )
    return _overlap(message, {"job": name, "dates": str(covered)}, violations)


def _who_has(day: str, most: str, taken: Mapping[str, str]) -> str:
    other = f"{keys.job_name(taken[day])} has this date" if day in taken else "no active backfill has this date"
    return f"{other}, not {keys.job_name(most)}"


def _overlap(message: str, metadata: dict[str, str], violations: list[PreconditionFailure.Violation]) -> Refused:
    details = (PreconditionFailure(violations=violations),)
    return Refused(Reason.BACKFILL_OVERLAP, message, metadata=metadata, details=details)


def _line_full(waiting: int, connection: str) -> Refused:
    message = f"{waiting} backfills wait for dates of these tasks already"
    return exceeded("waiting_backfills", date_claims.MOST_WAITING, of_connection(connection), _LINE_SECONDS, message)


_LINE_SECONDS: Final = 60.0
"""When to ask again for a place in a line that is full; backfills take minutes at least."""
