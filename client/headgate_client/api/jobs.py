"""Jobs: find them, watch them, steer them."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Unpack

import grpc
from google.type.date_pb2 import Date

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate_client.api.handle import JobHandle
from headgate_client.api.paging import walk_pages
from headgate_client.api.submitting import SubmitOptions, SubmitRequest, Submitter, fresh_request_id, run_request
from headgate_client.rpc.options import WatchOptions
from headgate_client.rpc.stream import open_stream
from headgate_client.rpc.unary_caller import Caller
from headgate_client.values.conversions import duration
from headgate_client.values.names import job_name
from headgate_client.watch.following import Following
from headgate_client.watch.following_sources import JobsSource
from headgate_client.watch.job_sources import Choice, JobStream, RunSource, WatchSource
from headgate_client.watch.job_watch import JobWatch
from headgate_client.watch.reconnecting import OnReconnect, Reconnecting
from headgate_client.watch.resume import begin


class Jobs:
    """The jobs of a deployment, given by id or by name. Every method may raise HeadgateError."""

    def __init__(self, channel: grpc.aio.Channel, caller: Caller) -> None:
        self._channel = channel
        self._stub = JobServiceStub(channel)
        self._caller = caller
        self._submitter = Submitter(channel, caller)

    def handle(self, job: str | pb.Job) -> JobHandle:
        """Return the handle of a job, without asking the server whether it exists."""
        return JobHandle(self, job)

    async def get(self, job: str, *, view: pb.JobView.ValueType = pb.JOB_VIEW_UNSPECIFIED) -> pb.Job:
        """Read one job as it stands; `view` unspecified means all of it."""
        request = pb.GetJobRequest(name=job_name(job), view=view)
        return await self._caller.call("GetJob", self._stub.GetJob, request, safe=True)

    def list(
        self,
        filter: str = "",
        *,
        order_by: str = "",
        page_size: int = 0,
        view: pb.JobView.ValueType = pb.JOB_VIEW_UNSPECIFIED,
    ) -> AsyncIterator[pb.Job]:
        """Walk all jobs that pass the filter, newest first; pages are fetched as they are reached.

        `filter` is an AIP-160 subset such as 'state = RUNNING AND labels.team = "orders"', see
        docs/filters.md. `view` unspecified means BASIC: without payloads such as scripts.
        """
        request = pb.ListJobsRequest(filter=filter, order_by=order_by, page_size=page_size, view=view)
        return walk_pages(self.list_page, request, lambda reply: reply.jobs)

    async def list_page(self, request: pb.ListJobsRequest) -> pb.ListJobsResponse:
        """Read one page of a list."""
        return await self._caller.call("ListJobs", self._stub.ListJobs, request, safe=True)

    async def count(self) -> dict[pb.JobState.ValueType, int]:
        """Count jobs by state; states without jobs are left out."""
        reply = await self._caller.call("CountJobs", self._stub.CountJobs, pb.CountJobsRequest(), safe=True)
        return {row.state: row.count for row in reply.counts}

    async def submit(self, request: SubmitRequest, **options: Unpack[SubmitOptions]) -> JobHandle:
        """Submit any kind of work; return the handle of its job.

        Safe to repeat: the same request_id with the same body finds the same job.
        """
        return self.handle(await self._submitter.submit(request, options))

    def run(
        self,
        request: SubmitRequest,
        *,
        mode: pb.WatchMode.ValueType = pb.WATCH_MODE_EVERY_EVENT,
        watch: WatchOptions | None = None,
        on_reconnect: OnReconnect | None = None,
        **options: Unpack[SubmitOptions],
    ) -> JobWatch:
        """Submit and watch in one stream; the first item is the accepted job.

        Closing the watch does not cancel the job.
        """
        wanted = run_request(request, options)
        wanted.mode = mode
        chosen = watch or self._caller.options.watch
        source = RunSource(self._channel, self._caller.options, chosen, wanted)
        return JobWatch(source, begin(0, mode, ()), Reconnecting(self._caller, chosen, on_reconnect))

    def watch(
        self,
        job: str,
        *,
        start_revision: int = 0,
        mode: pb.WatchMode.ValueType = pb.WATCH_MODE_EVERY_EVENT,
        types: Sequence[pb.EventType.ValueType] = (),
        until_settled: bool = False,
        watch: WatchOptions | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> JobWatch:
        """Watch one job until it ends; a lost connection is mended, nothing is repeated and nothing left out.

        The end is the present one: a job that ended, was retried and goes on is followed to its next end.

        `start_revision` 0 yields the job as it stands and then its events; n > 0 the events from n on. `mode`
        and `types` choose what is yielded. With `until_settled` the watch also ends where the job needs a
        person now. `on_reconnect` is told why a stream is opened again, and in how many seconds.
        """
        choice = Choice(mode, tuple(types))
        chosen = watch or self._caller.options.watch
        source = WatchSource(self._channel, self._caller.options, chosen, job_name(job), choice)
        at = begin(start_revision, mode, choice.types)
        present = partial(self.get, job) if until_settled else None
        return JobWatch(source, at, Reconnecting(self._caller, chosen, on_reconnect), present)

    def watch_all(
        self,
        filter: str = "",
        *,
        resume_token: str = "",
        watch: WatchOptions | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> Following[pb.WatchJobResponse]:
        """Follow every job that passes the filter: a snapshot of each active one, then events as they happen.

        Both come without payloads such as scripts. Order is kept within a job. Each message carries the
        `resume_token` to continue after it.
        """
        chosen = watch or self._caller.options.watch
        source = JobsSource(partial(self._open_feed, filter, chosen), resume_token)
        return Following(source, Reconnecting(self._caller, chosen, on_reconnect))

    def _open_feed(self, filter: str, watch: WatchOptions, token: str) -> JobStream:
        request = pb.WatchJobsRequest(
            filter=filter, resume_token=token, progress_interval=duration(watch.progress_interval)
        )
        return open_stream("WatchJobs", self._stub.WatchJobs, request, self._caller.options, watch.longest_silence)

    async def events(
        self, job: str, *, start_revision: int = 1, wait: float = 0.0, page_size: int = 0
    ) -> AsyncIterator[pb.JobEvent]:
        """Walk the log from a revision on, to its present end, or with `wait` until the job has ended.

        `wait` is how long one call may wait for something new, 0 to 60 seconds.
        """
        request = pb.ListJobEventsRequest(
            name=job_name(job), start_revision=start_revision, page_size=page_size, wait=duration(wait or None)
        )
        while True:
            reply = await self.list_events_page(request)
            for event in reply.job_events:
                yield event
            if reply.end or (not reply.job_events and not wait):
                return
            request.start_revision = reply.next_revision

    async def list_events_page(self, request: pb.ListJobEventsRequest) -> pb.ListJobEventsResponse:
        """Read a part of a job's log, waiting for something new if the request says so."""
        wait = request.wait.ToNanoseconds() / 1e9
        return await self._caller.call("ListJobEvents", self._stub.ListJobEvents, request, safe=True, wait=wait)

    async def cancel(
        self,
        job: str,
        *,
        mode: pb.CancelMode.ValueType = pb.CANCEL_MODE_UNSPECIFIED,
        reason: str = "",
        etag: str = "",
    ) -> pb.Job:
        """Ask for the end of a job; it is CANCELLING until upstream confirms. Repeating changes nothing."""
        request = pb.CancelJobRequest(name=job_name(job), mode=mode, reason=reason, etag=etag)
        return await self._caller.call("CancelJob", self._stub.CancelJob, request, safe=True)

    async def pause(self, job: str, *, reason: str = "", etag: str = "") -> pb.Job:
        """Stop a job from starting anything new; what runs upstream runs on."""
        request = pb.PauseJobRequest(name=job_name(job), reason=reason, etag=etag)
        return await self._caller.call("PauseJob", self._stub.PauseJob, request, safe=True)

    async def resume(self, job: str, *, etag: str = "") -> pb.Job:
        """Let a paused job go on."""
        request = pb.ResumeJobRequest(name=job_name(job), etag=etag)
        return await self._caller.call("ResumeJob", self._stub.ResumeJob, request, safe=True)

    async def retry(
        self,
        job: str,
        *,
        biz_dates: Sequence[Date] = (),
        deadline: timedelta | float | None = None,
        request_id: str = "",
        etag: str = "",
    ) -> pb.Job:
        """Run the failed, or the named, dates of an ended backfill again, as new attempts of the same job.

        `deadline` is how long the job may take from now on, 1 s to 30 days; None means 7 days.
        """
        request = pb.RetryJobRequest(
            name=job_name(job),
            biz_dates=biz_dates,
            deadline=duration(deadline),
            request_id=request_id or fresh_request_id(),
            etag=etag,
        )
        return await self._caller.call("RetryJob", self._stub.RetryJob, request, safe=True)

    async def resolve(
        self,
        job: str,
        resolution: pb.Resolution.ValueType,
        *,
        operation_index: int,
        workflow_instance_ids: Sequence[int] = (),
        reason: str = "",
        etag: str = "",
    ) -> pb.Job:
        """Tell a job that needs attention what really happened upstream.

        Tried again after a lost answer only with an etag: the job may need attention a second time by then,
        for something else.
        """
        request = pb.ResolveJobRequest(
            name=job_name(job),
            operation_index=operation_index,
            resolution=resolution,
            workflow_instance_ids=workflow_instance_ids,
            reason=reason,
            etag=etag,
        )
        return await self._caller.call("ResolveJob", self._stub.ResolveJob, request, safe=bool(etag))

    async def explain(self, job: str) -> Sequence[pb.Cause]:
        """Tell why a job is not further than it is, the outermost cause first; empty for a terminal job."""
        request = pb.ExplainJobRequest(name=job_name(job))
        reply = await self._caller.call("ExplainJob", self._stub.ExplainJob, request, safe=True)
        return tuple(reply.causes)

    async def delete(self, job: str, *, etag: str = "") -> None:
        """Delete a terminal job and its log. Cancels nothing."""
        request = pb.DeleteJobRequest(name=job_name(job), etag=etag)
        await self._caller.call("DeleteJob", self._stub.DeleteJob, request, safe=True)
