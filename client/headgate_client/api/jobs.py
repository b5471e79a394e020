"""Jobs: find them, watch them, change them."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Unpack

import grpc

from headgate import pb
from headgate_client.api.handle import JobHandle
from headgate_client.api.job_calls import JobCalls
from headgate_client.api.paging import walk_pages
from headgate_client.api.submitting import SubmitCalls, SubmitOptions, SubmitRequest, run_request
from headgate_client.rpc.options import WatchOptions
from headgate_client.rpc.stream import open_stream
from headgate_client.rpc.unary_caller import UnaryCaller
from headgate_client.values.conversions import duration
from headgate_client.watch.following import Following
from headgate_client.watch.following_sources import JobsSource
from headgate_client.watch.job_sources import JobStream, RunSource
from headgate_client.watch.job_watch import JobWatch
from headgate_client.watch.reconnecting import OnReconnect, Reconnecting
from headgate_client.watch.resume import begin


class Jobs(JobCalls):
    """The jobs of a deployment: find, submit and follow them, and the calls about one."""

    def __init__(self, channel: grpc.aio.Channel, caller: UnaryCaller) -> None:
        super().__init__(channel, caller)
        self._submitter = SubmitCalls(channel, caller)

    def handle(self, job: str | pb.Job) -> JobHandle:
        """Return the handle of a job, without asking the server whether it exists."""
        return JobHandle(self, job)

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
