"""JobService: find jobs, watch them, change them. Each handler checks, asks one part of the server, and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Final

from google.protobuf.empty_pb2 import Empty

from headgate import pb
from headgate.backfill import end_forecast
from headgate.job.lifecycle import JOB_RESTING
from headgate.messages import views
from headgate.process.wait_bounds import WaitBounds
from headgate.reasons import Reason
from headgate.store import date_claims, keys
from headgate_redis.clock import StoreClock
from headgate_server.auth import permissions
from headgate_server.auth.stream_shares import StreamShares
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.job_errors import deleted_job, unknown_job
from headgate_server.jobs import explain, resolve, retry, transitions, update
from headgate_server.jobs.change import JobChanger
from headgate_server.jobs.job_counts import JobCounts
from headgate_server.jobs.listing import list_jobs, read_filter
from headgate_server.jobs.new_job import KINDS
from headgate_server.jobs.submit import Submitter
from headgate_server.ports.call import Call, ReplySink
from headgate_server.ports.facts import ConnectionFacts
from headgate_server.ports.feed import read_token
from headgate_server.ports.jobs import JobStore, StoredJob
from headgate_server.reports.report_stream import JobReports
from headgate_server.requests import validator
from headgate_server.watch import all_jobs_stream, long_poll
from headgate_server.watch.all_jobs_stream import FeedSpec, History
from headgate_server.watch.cursor import ANY_TYPE, WatchSpec
from headgate_server.watch.job_stream import JobStreams

PROGRESS_SECONDS: Final = 15.0
"""Longest silence of a stream whose caller does not say."""


class JobService:
    """Jobs.

    Args:
        streams: counts open streams, and calls that wait.
        clock: the store's.
    """

    def __init__(
        self,
        store: JobStore,
        submitter: Submitter,
        changer: JobChanger,
        watching: JobStreams,
        history: History,
        facts: ConnectionFacts,
        reports: JobReports,
        *,
        streams: StreamShares,
        clock: StoreClock,
    ) -> None:
        self._store = store
        self._submitter = submitter
        self._changer = changer
        self._watching = watching
        self._history = history
        self._facts = facts
        self._reports = reports
        self._job_counts = JobCounts(store)
        self._streams = streams
        self._clock = clock

    async def get_job(self, request: pb.GetJobRequest, call: Call) -> bytes:
        """GetJob."""
        validator.check(request)
        stored = await self._load(request.name, call)
        shown = views.basic_bytes(stored.body) if request.view == pb.JOB_VIEW_BASIC else stored.body
        return shown + _forecast_bytes(stored.job, self._clock.now_ms())

    async def list_jobs(self, request: pb.ListJobsRequest, call: Call) -> pb.ListJobsResponse:
        """ListJobs."""
        validator.check(request)
        return await list_jobs(self._store, request, call)

    async def count_jobs(self, request: pb.CountJobsRequest, call: Call) -> pb.CountJobsResponse:
        """CountJobs."""
        validator.check(request)
        seen = call.caller.connections
        counts = await (self._store.count() if seen is None else self._job_counts.count(seen))
        rows = (pb.StateCount(state=state, count=count) for state, count in counts.items() if count)
        return pb.CountJobsResponse(counts=rows)

    def watch_job(self, request: pb.WatchJobRequest, call: Call, sink: ReplySink) -> Awaitable[None]:
        """WatchJob. Hands on the stream itself: a coroutine around it would cost every watcher memory and time."""
        validator.check(request)
        self._streams.check_room()
        spec = WatchSpec(
            job_id=keys.job_id(request.name),
            start_revision=request.start_revision,
            latest_only=request.mode == pb.WATCH_MODE_LATEST_ONLY,
            progress_seconds=_progress_seconds(request),
            types=frozenset(request.types) if request.types else ANY_TYPE,
            incarnation=request.incarnation,
            uid=call.uid,
        )
        return self._watching.follow(spec, sink)

    async def watch_jobs(self, request: pb.WatchJobsRequest, call: Call, sink: ReplySink) -> None:
        """WatchJobs."""
        validator.check(request)
        self._streams.check_room()
        filtered = request.filter.strip() or call.caller.connections is not None
        spec = FeedSpec(
            wanted=permissions.seen_by(call.caller, read_filter(request.filter)) if filtered else None,
            position=read_token(request.resume_token) if request.resume_token else None,
            progress_seconds=_progress_seconds(request),
        )
        await all_jobs_stream.follow(self._watching, self._history, spec, sink)

    async def run_job(self, request: pb.RunJobRequest, call: Call, sink: ReplySink) -> None:
        """RunJob."""
        validator.check(request)
        self._streams.check_room()
        kind = request.WhichOneof("request") or ""
        carried: Any = getattr(request, kind)
        if type(carried) not in KINDS:
            raise Refused(Reason.METHOD_UNBUILT, f"{kind} is not built yet; see GetServerInfo")
        accepted = await self._submitter.submit(carried, call)
        call.audit.tell("OK")
        latest_only = request.mode == pb.WATCH_MODE_LATEST_ONLY
        progress_seconds = _progress_seconds(request)
        spec = WatchSpec(accepted.job_id, latest_only=latest_only, progress_seconds=progress_seconds, uid=accepted.uid)
        await self._watching.follow(spec, sink, accepted.page)

    async def list_job_events(self, request: pb.ListJobEventsRequest, call: Call) -> bytes:
        """ListJobEvents."""
        validator.check(request)
        seconds = request.wait.ToMilliseconds() / 1000
        if call.deadline is not None:
            remaining = call.deadline - asyncio.get_running_loop().time()
            seconds = min(seconds, max(0.0, remaining - long_poll.MARGIN_SECONDS))
        with self._streams.waiting(call.caller) if seconds > 0 else nullcontext():
            return await long_poll.list_events(self._watching.hub, self._store, request, seconds, call.uid)

    async def cancel_job(self, request: pb.CancelJobRequest, call: Call) -> bytes:
        """CancelJob."""
        validator.check(request)
        return await self._changer.change(request, transitions.cancel, call)

    async def pause_job(self, request: pb.PauseJobRequest, call: Call) -> bytes:
        """PauseJob."""
        validator.check(request)
        return await self._changer.change(request, transitions.pause, call)

    async def resume_job(self, request: pb.ResumeJobRequest, call: Call) -> bytes:
        """ResumeJob."""
        validator.check(request)
        return await self._changer.change(request, transitions.resume, call)

    async def update_job(self, request: pb.UpdateJobRequest, call: Call) -> bytes:
        """UpdateJob."""
        validator.check(request)
        return await self._changer.change(request, update.update, call)

    async def retry_job(self, request: pb.RetryJobRequest, call: Call) -> bytes:
        """RetryJob."""
        validator.check(request)
        return await self._changer.change(request, retry.retry, call)

    async def resolve_job(self, request: pb.ResolveJobRequest, call: Call) -> bytes:
        """ResolveJob."""
        validator.check(request)
        return await self._changer.change(request, resolve.resolve, call)

    async def explain_job(self, request: pb.ExplainJobRequest, call: Call) -> pb.ExplainJobResponse:
        """ExplainJob."""
        validator.check(request)
        job = (await self._load(request.name, call)).job
        facts = await self._facts.facts(job.connection)
        if date_claims.waits(job) and (hold := date_claims.hold_of(job)):
            facts = replace(facts, taken=await self._store.held(hold, job_id=keys.job_id(job.name)))
        if any(run.HasField("parent_end_time") for run in job.runs):
            facts = replace(facts, children=await self._facts.children(job.connection))
        if job.state in JOB_RESTING:
            facts = replace(facts, state_since_ms=await self._state_since_ms(job))
        return pb.ExplainJobResponse(causes=explain.causes(job, facts))

    async def _state_since_ms(self, job: pb.Job) -> int | None:
        """Since when a job waits for a person, by the end of its log; None where that does not show it."""
        count = explain.LATEST_EVENTS
        page = await self._store.read_log(keys.job_id(job.name), first=max(1, job.revision - count + 1), count=count)
        if page is None or page.unreadable or page.state != job.state:
            return None
        return explain.state_since_ms([pb.JobEvent.FromString(event) for event in page.events])

    async def get_job_report(self, request: pb.GetJobReportRequest, call: Call, sink: ReplySink) -> None:
        """GetJobReport."""
        validator.check(request)
        self._streams.check_room()
        await self._reports.send(request, call, sink)

    async def delete_job(self, request: pb.DeleteJobRequest, call: Call) -> Empty:
        """DeleteJob."""
        validator.check(request)
        await self._changer.delete(request, call)
        return Empty()

    async def _load(self, name: str, call: Call) -> StoredJob:
        job_id = keys.job_id(name)
        stored = await self._store.load(job_id)
        if stored is None:
            raise unknown_job(job_id)
        if call.uid and call.uid != stored.life.uid:
            raise deleted_job(job_id)
        return stored


def _forecast_bytes(job: pb.Job, now_ms: int) -> bytes:
    """When the job is expected to end, as fields that follow those of the job; empty where that is not known."""
    found = end_forecast.forecast(job, now_ms, WaitBounds())
    return b"" if found is None else pb.Job(eta_time=found.p50_end_time, forecast=found).SerializeToString()


def _progress_seconds(request: pb.WatchJobRequest | pb.WatchJobsRequest | pb.RunJobRequest) -> float:
    if not request.HasField("progress_interval"):
        return PROGRESS_SECONDS
    return request.progress_interval.ToMilliseconds() / 1000
