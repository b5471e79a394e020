"""JobService: find jobs, follow them, steer them. Each handler checks, asks one part of the server, and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Final

from google.protobuf.empty_pb2 import Empty

from headgate import keys, overlap, pb, views
from headgate.reasons import Reason
from headgate_server import access, control, explaining, feed_watch, long_poll, requests, resolving, retrying
from headgate_server.cursor import ANY_TYPE, Wish
from headgate_server.errors import Refused
from headgate_server.feed_entry import read_token
from headgate_server.feed_watch import FeedWish, History
from headgate_server.intake import Intake
from headgate_server.job_errors import deleted_job, unknown_job
from headgate_server.listing import list_jobs, read_filter
from headgate_server.redis_facts import RedisFacts
from headgate_server.redis_store import RedisStore
from headgate_server.rpc import Call, Sink
from headgate_server.steering import Steering
from headgate_server.stored_rows import Stored
from headgate_server.stream_shares import StreamShares
from headgate_server.submission import KINDS
from headgate_server.tally import Tally
from headgate_server.watch import Watching

PROGRESS_SECONDS: Final = 15.0
"""Longest silence of a stream whose caller does not say."""


class JobService:
    """Jobs.

    Args:
        streams: counts open streams, and calls that wait.
    """

    def __init__(
        self,
        store: RedisStore,
        intake: Intake,
        steering: Steering,
        watching: Watching,
        history: History,
        facts: RedisFacts,
        *,
        streams: StreamShares,
    ) -> None:
        self._store = store
        self._intake = intake
        self._steering = steering
        self._watching = watching
        self._history = history
        self._facts = facts
        self._tally = Tally(store)
        self._streams = streams

    async def get_job(self, request: pb.GetJobRequest, call: Call) -> bytes:
        """GetJob."""
        requests.check(request)
        stored = await self._load(request.name, call)
        return views.basic_bytes(stored.body) if request.view == pb.JOB_VIEW_BASIC else stored.body

    async def list_jobs(self, request: pb.ListJobsRequest, call: Call) -> pb.ListJobsResponse:
        """ListJobs."""
        requests.check(request)
        return await list_jobs(self._store, request, call.caller)

    async def count_jobs(self, request: pb.CountJobsRequest, call: Call) -> pb.CountJobsResponse:
        """CountJobs."""
        requests.check(request)
        seen = call.caller.connections
        counts = await (self._store.count() if seen is None else self._tally.count(seen))
        rows = (pb.StateCount(state=state, count=count) for state, count in counts.items() if count)
        return pb.CountJobsResponse(counts=rows)

    def watch_job(self, request: pb.WatchJobRequest, call: Call, sink: Sink) -> Awaitable[None]:
        """WatchJob. Hands on the stream itself: a coroutine around it would cost every watcher memory and time."""
        requests.check(request)
        self._streams.check_room()
        wish = Wish(
            job_id=keys.job_id(request.name),
            start_revision=request.start_revision,
            latest_only=request.mode == pb.WATCH_MODE_LATEST_ONLY,
            progress_seconds=_progress_seconds(request),
            types=frozenset(request.types) if request.types else ANY_TYPE,
            incarnation=request.incarnation,
            uid=call.uid,
        )
        return self._watching.follow(wish, sink)

    async def watch_jobs(self, request: pb.WatchJobsRequest, call: Call, sink: Sink) -> None:
        """WatchJobs."""
        requests.check(request)
        self._streams.check_room()
        filtered = request.filter.strip() or call.caller.connections is not None
        wish = FeedWish(
            wanted=access.seen_by(call.caller, read_filter(request.filter)) if filtered else None,
            position=read_token(request.resume_token) if request.resume_token else None,
            progress_seconds=_progress_seconds(request),
        )
        await feed_watch.follow(self._watching, self._history, wish, sink)

    async def run_job(self, request: pb.RunJobRequest, call: Call, sink: Sink) -> None:
        """RunJob."""
        requests.check(request)
        self._streams.check_room()
        kind = request.WhichOneof("request") or ""
        carried: Any = getattr(request, kind)
        if type(carried) not in KINDS:
            raise Refused(Reason.METHOD_UNBUILT, f"{kind} is not built yet; see GetServerInfo")
        accepted = await self._intake.submit(carried, call)
        call.audit.tell("OK")
        latest_only = request.mode == pb.WATCH_MODE_LATEST_ONLY
        progress_seconds = _progress_seconds(request)
        wish = Wish(accepted.job_id, latest_only=latest_only, progress_seconds=progress_seconds, uid=accepted.uid)
        await self._watching.follow(wish, sink, accepted.page)

    async def list_job_events(self, request: pb.ListJobEventsRequest, call: Call) -> bytes:
        """ListJobEvents."""
        requests.check(request)
        seconds = request.wait.ToMilliseconds() / 1000
        if call.deadline is not None:
            remaining = call.deadline - asyncio.get_running_loop().time()
            seconds = min(seconds, max(0.0, remaining - long_poll.MARGIN_SECONDS))
        with self._streams.waiting(call.caller) if seconds > 0 else nullcontext():
            return await long_poll.list_events(self._watching.hub, self._store, request, seconds, call.uid)

    async def cancel_job(self, request: pb.CancelJobRequest, call: Call) -> bytes:
        """CancelJob."""
        requests.check(request)
        return await self._steering.change(request, control.cancel, call)

    async def pause_job(self, request: pb.PauseJobRequest, call: Call) -> bytes:
        """PauseJob."""
        requests.check(request)
        return await self._steering.change(request, control.pause, call)

    async def resume_job(self, request: pb.ResumeJobRequest, call: Call) -> bytes:
        """ResumeJob."""
        requests.check(request)
        return await self._steering.change(request, control.resume, call)

    async def retry_job(self, request: pb.RetryJobRequest, call: Call) -> bytes:
        """RetryJob."""
        requests.check(request)
        return await self._steering.change(request, retrying.retry, call)

    async def resolve_job(self, request: pb.ResolveJobRequest, call: Call) -> bytes:
        """ResolveJob."""
        requests.check(request)
        return await self._steering.change(request, resolving.resolve, call)

    async def explain_job(self, request: pb.ExplainJobRequest, call: Call) -> pb.ExplainJobResponse:
        """ExplainJob."""
        requests.check(request)
        job = (await self._load(request.name, call)).job
        facts = await self._facts.facts(job.connection)
        if overlap.waits(job) and (hold := overlap.hold_of(job)):
            facts = replace(facts, taken=await self._store.held(hold, job_id=keys.job_id(job.name)))
        return pb.ExplainJobResponse(causes=explaining.causes(job, facts))

    async def delete_job(self, request: pb.DeleteJobRequest, call: Call) -> Empty:
        """DeleteJob."""
        requests.check(request)
        await self._steering.delete(request, call)
        return Empty()

    async def _load(self, name: str, call: Call) -> Stored:
        job_id = keys.job_id(name)
        stored = await self._store.load(job_id)
        if stored is None:
            raise unknown_job(job_id)
        if call.uid and call.uid != stored.life.uid:
            raise deleted_job(job_id)
        return stored


def _progress_seconds(request: pb.WatchJobRequest | pb.WatchJobsRequest | pb.RunJobRequest) -> float:
    if not request.HasField("progress_interval"):
        return PROGRESS_SECONDS
    return request.progress_interval.ToMilliseconds() / 1000
