"""The handle of one job: everything that can be done with it, from its id alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Unpack

import grpc
from google.type.date_pb2 import Date

from headgate import pb
from headgate_client.api.job_calls import JobCalls
from headgate_client.rpc.errors import HeadgateError, failure_of
from headgate_client.rpc.options import WatchOptions
from headgate_client.values.job_change import JobChange
from headgate_client.values.names import job_id, job_name
from headgate_client.watch.job_reports import OnProgress
from headgate_client.watch.job_watch import JobWatch
from headgate_client.watch.reconnecting import OnReconnect
from headgate_client.watch.settling import SETTLED


class JobHandle:
    """One job. Every method that asks the server may raise HeadgateError.

    Attributes:
        job: the job as it was last seen through this handle; None if it never was.
    """

    def __init__(self, jobs: JobCalls, job: str | pb.Job) -> None:
        self._jobs = jobs
        self.name = job_name(job if isinstance(job, str) else job.name)
        self.job = None if isinstance(job, str) else job

    def __repr__(self) -> str:
        state = "not read" if self.job is None else pb.JobState.Name(self.job.state)
        return f"<JobHandle {self.name} {state}>"

    @property
    def id(self) -> str:
        """The job's id: its name without "jobs/"."""
        return job_id(self.name)

    async def refresh(self) -> pb.Job:
        """Read the job as it stands."""
        self.job = await self._jobs.get(self.name)
        return self.job

    def watch(
        self,
        start_revision: int = 0,
        *,
        mode: pb.WatchMode.ValueType = pb.WATCH_MODE_EVERY_EVENT,
        types: Sequence[pb.EventType.ValueType] = (),
        until_settled: bool = False,
        watch: WatchOptions | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> JobWatch:
        """Watch the job until it ends; see `Jobs.watch`."""
        return self._jobs.watch(
            self.name,
            start_revision=start_revision,
            mode=mode,
            types=types,
            until_settled=until_settled,
            watch=watch,
            on_reconnect=on_reconnect,
        )

    async def result(
        self,
        timeout: timedelta | float | None = None,  # noqa: ASYNC109 - callers ask "how long", not "until when"
        *,
        raise_on_failure: bool = True,
    ) -> pb.Job:
        """Wait until the job has ended, or needs a person, and return it.

        `timeout` is a timedelta or seconds; TimeoutError says that the job goes on. Raises JobFailed,
        JobCancelled or JobNeedsAttention with the job attached, unless `raise_on_failure` is False.
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        async with asyncio.timeout(seconds):
            self.job = await self._settled()
        failure = failure_of(self.job) if raise_on_failure else None
        if failure is not None:
            raise failure
        return self.job

    async def _settled(self) -> pb.Job:
        async with self.watch(mode=pb.WATCH_MODE_LATEST_ONLY) as watch:
            async for _ in watch:
                if watch.job is not None and watch.job.state in SETTLED:
                    return watch.job
        message = f"{self.name} was deleted before its end was seen"
        raise HeadgateError(grpc.StatusCode.NOT_FOUND, "JOB_UNKNOWN", message)

    def events(self, start_revision: int = 1, *, wait: float = 0.0) -> AsyncIterator[pb.JobEvent]:
        """Walk the job's log from a revision on; see `Jobs.events`."""
        return self._jobs.events(self.name, start_revision=start_revision, wait=wait)

    async def cancel(
        self, *, mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_UNSPECIFIED, reason: str = "", etag: str = ""
    ) -> pb.Job:
        """Ask for the job's end; it is CANCELLING until upstream confirms."""
        self.job = await self._jobs.cancel(self.name, mode=mode, reason=reason, etag=etag)
        return self.job

    async def pause(self, *, reason: str = "", etag: str = "") -> pb.Job:
        """Stop the job from starting anything new; what runs upstream runs on."""
        self.job = await self._jobs.pause(self.name, reason=reason, etag=etag)
        return self.job

    async def resume(self, *, etag: str = "") -> pb.Job:
        """Let the paused job go on."""
        self.job = await self._jobs.resume(self.name, etag=etag)
        return self.job

    async def update(self, *, request_id: str = "", etag: str = "", **change: Unpack[JobChange]) -> pb.Job:
        """Change the job while it goes on; see `Jobs.update`."""
        self.job = await self._jobs.update(self.name, request_id=request_id, etag=etag, **change)
        return self.job

    async def retry(self, *, biz_dates: Sequence[Date] = (), request_id: str = "", etag: str = "") -> pb.Job:
        """Run the failed, or the named, dates of the ended backfill again."""
        self.job = await self._jobs.retry(self.name, biz_dates=biz_dates, request_id=request_id, etag=etag)
        return self.job

    async def resolve(
        self,
        resolution: pb.Resolution.ValueType,
        *,
        operation_index: int,
        workflow_instance_ids: Sequence[int] = (),
        reason: str = "",
        etag: str = "",
    ) -> pb.Job:
        """Give the outcome of a call that the job could not find out; see `Jobs.resolve`."""
        self.job = await self._jobs.resolve(
            self.name,
            resolution,
            operation_index=operation_index,
            workflow_instance_ids=workflow_instance_ids,
            reason=reason,
            etag=etag,
        )
        return self.job

    async def explain(self) -> Sequence[pb.Cause]:
        """Explain why the job is not further than it is, the outermost cause first."""
        return await self._jobs.explain(self.name)

    async def report(self, *, verify: bool = False, on_progress: OnProgress | None = None) -> pb.JobReport:
        """Report what the backfill has done, date by date; see `Jobs.report`."""
        return await self._jobs.report(self.name, verify=verify, on_progress=on_progress)

    async def delete(self, *, etag: str = "") -> None:
        """Delete the ended job and its log."""
        await self._jobs.delete(self.name, etag=etag)
