"""Steer a job: load it, decide, commit what was decided, and begin again when somebody else was faster."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final, Protocol

from headgate import commit, entries, keys, log, pb
from headgate.lifecycle import is_terminal
from headgate.overlap import hold_of
from headgate.reasons import Reason
from headgate_server import control
from headgate_server.clock import StoreClock
from headgate_server.errors import Refused, StoreDamaged
from headgate_server.redis_store import Stored
from headgate_server.watch import unknown_job

TRIES: Final = 10
"""How often a decision is taken again because the job has moved on."""

_CALLER: Final = "anonymous"


class Jobs(Protocol):
    """Port: loads, changes and deletes jobs."""

    async def load(self, job_id: str) -> Stored | None:
        """A job as it stands; None when there is none."""

    async def submit(self, change: commit.Commit) -> commit.Answer:
        """Make a change, all or nothing."""

    async def delete(self, job_id: str, *, revision: int, state: pb.JobState.ValueType) -> bool:
        """Delete a job that still stands at a revision."""


class Steering:
    """Changes that callers ask for after a submit."""

    def __init__(
        self, jobs: Jobs, clock: StoreClock, *, nonce: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._nonce = nonce

    async def change(self, request: Any, decide: control.Decision) -> bytes:
        """Do what `decide` says; the Job as bytes as it stands then.

        Raises:
            Refused: there is no such job, its etag is another, or its state does not allow it.
        """
        job_id = keys.job_id(request.name)
        for _ in range(TRIES):
            stored, job = await self._load(job_id)
            control.check_etag(job, request.etag)
            event = decide(job, request, _CALLER, self._clock.now_ms())
            if event is None:
                return stored.body
            after = log.fold(job, event)
            answer = await self._jobs.submit(self._commit(stored, job, after, event))
            if isinstance(answer, commit.Committed):
                return after.SerializeToString()
            if not isinstance(answer, commit.Stale):
                raise StoreDamaged(str(answer))
        raise _busy(job_id)

    async def delete(self, request: pb.DeleteJobRequest) -> None:
        """Delete a terminal job.

        Raises:
            Refused: there is no such job, its etag is another, or it is not terminal.
        """
        job_id = keys.job_id(request.name)
        for _ in range(TRIES):
            stored, job = await self._load(job_id)
            control.check_etag(job, request.etag)
            if not is_terminal(job):
                raise control.conflict(job, "can't be deleted before its end")
            if await self._jobs.delete(job_id, revision=stored.revision, state=job.state):
                return
        raise _busy(job_id)

    async def _load(self, job_id: str) -> tuple[Stored, pb.Job]:
        stored = await self._jobs.load(job_id)
        if stored is None:
            raise unknown_job(job_id)
        return stored, pb.Job.FromString(stored.body)

    def _commit(self, stored: Stored, before: pb.Job, after: pb.Job, event: pb.JobEvent) -> commit.Commit:
        tick = entries.tick(keys.job_id(after.name), nonce=self._nonce(), now_ms=self._clock.now_ms())
        return commit.Commit(
            before=before.state,
            job=after,
            expected_revision=stored.revision,
            events=(event.SerializeToString(),),
            hints=stored.hints,
            wake=None if is_terminal(after) else commit.Wake(tick),
            hold=hold_of(after) if is_terminal(after) else None,
        )


def _busy(job_id: str) -> Refused:
    message = f"{keys.job_name(job_id)} changes too fast; repeat"
    return Refused(Reason.STORE_UNAVAILABLE, message, retry_seconds=0.5)
