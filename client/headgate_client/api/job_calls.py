"""What can be asked about one job, and done with it, by its id or its name."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Unpack

import grpc
from google.type.date_pb2 import Date

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from headgate_client.api.submitting import fresh_request_id
from headgate_client.rpc.options import WatchOptions
from headgate_client.rpc.unary_caller import UnaryCaller
from headgate_client.values.conversions import duration
from headgate_client.values.job_change import JobChange, update_request
from headgate_client.values.names import job_name
from headgate_client.watch.job_reports import OnProgress, ReportReader
from headgate_client.watch.job_sources import EventChoice, WatchSource
from headgate_client.watch.job_watch import JobWatch
from headgate_client.watch.reconnecting import OnReconnect, Reconnecting
from headgate_client.watch.resume import begin


class JobCalls:
    """The calls about one job, which is given by id or by name. Every method may raise HeadgateError."""

    def __init__(self, channel: grpc.aio.Channel, caller: UnaryCaller) -> None:
        self._channel = channel
        self._stub = JobServiceStub(channel)
        self._caller = caller
        self._reports = ReportReader(self._stub, caller)

    async def get(self, job: str, *, view: pb.JobView.ValueType = pb.JOB_VIEW_UNSPECIFIED) -> pb.Job:
        """Read one job as it stands; `view` unspecified means all of it."""
        request = pb.GetJobRequest(name=job_name(job), view=view)
        return await self._caller.call("GetJob", self._stub.GetJob, request, safe=True)

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
        person now. `on_reconnect` is called with why a stream is opened again, and in how many seconds.
        """
        choice = EventChoice(mode, tuple(types))
        chosen = watch or self._caller.options.watch
        source = WatchSource(self._channel, self._caller.options, chosen, job_name(job), choice)
        at = begin(start_revision, mode, choice.types)
        present = partial(self.get, job) if until_settled else None
        return JobWatch(source, at, Reconnecting(self._caller, chosen, on_reconnect), present)

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

    async def update(self, job: str, *, request_id: str = "", etag: str = "", **change: Unpack[JobChange]) -> pb.Job:
        """Change a job that has not ended, such as `priority=5`; fields that are not given stay as they are.

        Raises ValueError where nothing is given.
        """
        request = update_request(job_name(job), change)
        request.job.etag = etag
        request.request_id = request_id or fresh_request_id()
        return await self._caller.call("UpdateJob", self._stub.UpdateJob, request, safe=True)

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
        """Give a job that needs attention the outcome of the call that it could not find out.

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
        """Explain why a job is not further than it is, the outermost cause first; empty for a terminal job."""
        request = pb.ExplainJobRequest(name=job_name(job))
        reply = await self._caller.call("ExplainJob", self._stub.ExplainJob, request, safe=True)
        return tuple(reply.causes)

    async def report(
        self,
        job: str,
        *,
        verify: bool = False,
        timeout: timedelta | float | None = None,  # noqa: ASYNC109 - the server ends the verification in time
        watch: WatchOptions | None = None,
        on_progress: OnProgress | None = None,
    ) -> pb.JobReport:
        """Report what a backfill has done, date by date, and whether each date succeeded exactly once.

        With `verify` upstream is asked about every date now, about a read each, and `on_progress` is called as it goes.
        Within `timeout`, a timedelta or seconds, the report is there with what was verified until then; None
        means an hour.
        """
        request = pb.GetJobReportRequest(name=job_name(job), verify=verify)
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        return await self._reports.read(request, watch or self._caller.options.watch, on_progress, seconds)

    async def delete(self, job: str, *, etag: str = "") -> None:
        """Delete a terminal job and its log. Cancels nothing."""
        request = pb.DeleteJobRequest(name=job_name(job), etag=etag)
        await self._caller.call("DeleteJob", self._stub.DeleteJob, request, safe=True)
