"""Change a job: load it, decide, commit the decision, and begin again when another commit came first."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Protocol

from headgate import pb
from headgate.job import event_log
from headgate.job.lifecycle import is_terminal
from headgate.reasons import Reason
from headgate.store import commit, date_claims, keys, queue_entries
from headgate.store.audit import Origin
from headgate.store.charges import Exceeded
from headgate.store.date_claims import Hold, hold_of
from headgate_server.errors.exceptions import JobDamaged, Refused, ServerError, StoreFull
from headgate_server.errors.job_errors import deleted_job, unknown_job
from headgate_server.errors.share_exceeded import exceeded
from headgate_server.jobs import transitions
from headgate_server.jobs.new_job import body_digest
from headgate_server.jobs.retry import hold_of_retry
from headgate_server.jobs.submit import overlapping
from headgate_server.ports.call import Call
from headgate_server.ports.clock import StoreTime
from headgate_server.ports.jobs import StoredJob
from headgate_server.requests.named_job import named_job

TRIES: Final = 60
"""How often a decision is taken again because the job has moved on."""

PAUSES: Final = (0.0, 0.0, 0.002, 0.005, 0.01)
"""Longest pauses in seconds after the first misses, the last for all that follow. The sleep is a random part of
it: a writer with a steady rhythm must not win every time."""

_JITTER: Final = secrets.SystemRandom()


class ChangeStore(Protocol):
    """Port: loads, changes and deletes jobs."""

    async def load(self, job_id: str) -> StoredJob | None:
        """A job as it stands; None when there is none."""

    async def submit(self, change: commit.Commit) -> commit.CommitOutcome:
        """Make a change, all or nothing."""

    async def recorded(self, request_key: str) -> commit.Duplicate | None:
        """What a request id was used for; None when it is fresh."""

    async def delete(self, job: pb.Job, *, revision: int, origin: Origin) -> bool:
        """Delete a job that still stands at a revision."""

    async def forget(self, damaged: JobDamaged, origin: Origin) -> bool:
        """Delete a job that can't be read, if it is still there as it was met."""


class JobChanger:
    """Changes that callers ask for after a submit.

    Args:
        new_work: what becomes of a commit that makes new work, by how full the store is.
    """

    def __init__(
        self,
        jobs: ChangeStore,
        clock: StoreTime,
        *,
        nonce: Callable[[], str] = lambda: secrets.token_hex(8),
        new_work: Callable[[], commit.MemoryPolicy] = lambda: commit.MemoryPolicy.SPARE,
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._new_work = new_work
        self._nonce = nonce

    async def change(self, request: Any, decide: transitions.Decision, call: Call) -> bytes:
        """Do what `decide` says for a caller; the Job as bytes as it stands then. A request_id makes it safe to repeat.

        Raises:
            Refused: there is no such job, its etag is another, its state does not allow it, its dates are held by
                another backfill, its log is as long as callers may make it, or the request_id was used for something
                else or for a job that is gone.
            StoreFull: it would make new work, and the store is full or nearly so.
        """
        named = named_job(request)
        job_id, caller = keys.job_id(named.name), call.caller.name
        record, uid = _record(request, caller), call.uid
        for missed in range(TRIES):
            await _pause(missed)
            found = await self._find(job_id, uid)
            # Asked after the load: a repeat that finds the job changed must find that the change was its own.
            if record is not None and (used := await self._jobs.recorded(record.key)) is not None:
                return await self._repeated(job_id, record, used, uid)
            if found is None:
                raise _gone(job_id, uid)
            stored, job = found
            uid = job.uid
            call.audit.about(job)
            transitions.check_etag(job, named.etag)
            event = decide(job, request, caller, self._clock.now_ms())
            if event is None:
                return stored.body
            after = event_log.fold(_as_logged(job), event)
            match await self._jobs.submit(
                replace(self._commit(stored, job, after, event, record), origin=call.audit.origin)
            ):
                case commit.Committed():
                    call.audit.done()
                    return _as_shown(after, job)
                case commit.Stale() | commit.Duplicate():
                    continue
                case other:
                    raise _refusal(named.name, other)
        raise _busy(job_id)

    async def _repeated(self, job_id: str, record: commit.RequestRecord, used: commit.Duplicate, uid: str) -> bytes:
        if (used.job_id, used.digest) != (job_id, record.digest):
            metadata = {"job": keys.job_name(used.job_id)}
            raise Refused(Reason.REQUEST_ID_REUSED, "request_id was used with another body", metadata=metadata)
        found = await self._find(job_id, uid)
        if found is None or (used.uid and used.uid != found[1].uid):
            raise deleted_job(job_id)
        return found[0].body

    async def delete(self, request: pb.DeleteJobRequest, call: Call) -> None:
        """Delete a terminal job; for an operator also one that can't be read, in whatever state it was.

        Raises:
            Refused: there is no such job, its etag is another, or it is not terminal.
            JobDamaged: it can't be read, and the caller may not delete all that it might be.
        """
        try:
            await self._delete(request, call)
        except JobDamaged as damaged:
            if call.caller.connections is not None or request.etag:
                raise
            if not await self._jobs.forget(damaged, call.audit.origin):
                raise
            call.audit.done()

    async def _delete(self, request: pb.DeleteJobRequest, call: Call) -> None:
        job_id, uid = keys.job_id(request.name), call.uid
        for missed in range(TRIES):
            await _pause(missed)
            found = await self._find(job_id, uid)
            if found is None:
                raise _gone(job_id, uid)
            stored, job = found
            uid = job.uid
            call.audit.about(job)
            transitions.check_etag(job, request.etag)
            if not is_terminal(job):
                raise transitions.conflict(job, "can't be deleted before its end")
            if await self._jobs.delete(job, revision=stored.revision, origin=call.audit.origin):
                call.audit.done()
                return
        raise _busy(job_id)

    async def _find(self, job_id: str, uid: str) -> tuple[StoredJob, pb.Job] | None:
        """The job as it stands; None when there is none, or another one than that of the uid, if one is given."""
        stored = await self._jobs.load(job_id)
        if stored is None:
            return None
        return None if uid and uid != stored.job.uid else (stored, stored.job)

    def _memory(self, before: pb.Job, after: pb.Job) -> commit.MemoryPolicy:
        """How a change may use a store that is nearly full: only what brings a job to its end may use the reserve."""
        if _brings_end(after):
            return commit.MemoryPolicy.RESERVE
        return self._new_work() if is_terminal(before) else commit.MemoryPolicy.SPARE

    def _commit(
        self, stored: StoredJob, before: pb.Job, after: pb.Job, event: pb.JobEvent, record: commit.RequestRecord | None
    ) -> commit.Commit:
        tick = queue_entries.tick(keys.job_id(after.name), nonce=self._nonce(), now_ms=self._clock.now_ms())
        return commit.Commit(
            before=before.state,
            job=after,
            expected_revision=stored.revision,
            events=(event.SerializeToString(),),
            hints=b"" if is_terminal(before) else None,  # hints of the last run of the job are of no use for the next
            wake=None if is_terminal(after) else commit.Wake(tick),
            request=record,
            hold=_hold(before, after, event),
            memory=self._memory(before, after),
        )


def _gone(job_id: str, uid: str) -> Refused:
    """The error for a job that is not there; `uid` is that of the one that was."""
    return deleted_job(job_id) if uid else unknown_job(job_id)


def _refusal(name: str, answer: commit.CommitOutcome) -> ServerError:
    """The error for a change that was not made."""
    match answer:
        case date_claims.Overlapping(taken):
            return overlapping(taken)
        case Exceeded(quota, limit):
            return exceeded(quota, limit, name, None)
        case commit.NoRoom():
            return StoreFull()
        case _:
            return JobDamaged(keys.job_id(name))


def _as_logged(job: pb.Job) -> pb.Job:
    """The job as its log makes it: the call counters are kept beside it, and must not be written into it."""
    logged = pb.Job()
    logged.CopyFrom(job)
    logged.ClearField("usage")
    return logged


def _as_shown(after: pb.Job, before: pb.Job) -> bytes:
    usage = pb.Job(usage=before.usage if before.HasField("usage") else None)
    return after.SerializeToString() + usage.SerializeToString()


def _record(request: Any, caller: str) -> commit.RequestRecord | None:
    request_id = getattr(request, "request_id", "")
    return commit.RequestRecord(keys.request(caller, request_id), body_digest(request)) if request_id else None


def _hold(before: pb.Job, after: pb.Job, event: pb.JobEvent) -> Hold | None:
    if is_terminal(after):
        return hold_of(after)
    return hold_of_retry(after, event) if is_terminal(before) else None


def _brings_end(after: pb.Job) -> bool:
    return is_terminal(after) or after.state == pb.JOB_STATE_CANCELLING


async def _pause(missed: int) -> None:
    if missed:
        await asyncio.sleep(_JITTER.uniform(0, PAUSES[min(missed, len(PAUSES)) - 1]))


def _busy(job_id: str) -> Refused:
    message = f"{keys.job_name(job_id)} changes too fast; repeat"
    return Refused(Reason.STORE_UNAVAILABLE, message, retry_seconds=0.5)
