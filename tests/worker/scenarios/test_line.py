"""Backfills in line for dates that others have: server, worker and emulator, from end to end."""

from __future__ import annotations

import asyncio
import itertools
import signal
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from redis.asyncio import Redis

from headgate import pb
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import keys
from headgate.store.date_claims import MOST_WAITING, hold_of
from headgate_cli.dev.redis_server import RedisServer
from headgate_emulator.app import RunningEmulator
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.server.scenarios.test_overlap_join import wanting
from tests.server.world import DAY, World, metadata_of, ranges, reason_of, serving
from tests.worker.conftest import RunWorker, eventually
from tests.worker.scenarios.test_backfill import ended, events_of
from tests.worker.scenarios.test_crash_matrix import killed_worker

pytestmark = pytest.mark.slow

QUEUE, REJECT = pb.OVERLAP_QUEUE_AFTER, pb.OVERLAP_REJECT


def _wanting(
    first: int, count: int, overlap: pb.Overlap.ValueType, job_id: str, **options: object
) -> pb.CreateBackfillRequest:
    request = wanting(1, overlap, job_id=job_id, options=pb.JobOptions(**options))  # type: ignore[arg-type]
    del request.spec.biz_dates[:]
    request.spec.biz_dates.extend(ranges(*(DAY + timedelta(days=first + n) for n in range(count))))
    return request


async def _state(world: World, job_id: str) -> pb.JobState.ValueType:
    return (await world.jobs.GetJob(pb.GetJobRequest(name=keys.job_name(job_id)))).state


async def _explained(world: World, job_id: str) -> list[tuple[int, str]]:
    causes = (await world.jobs.ExplainJob(pb.ExplainJobRequest(name=keys.job_name(job_id)))).causes
    return [(cause.kind, cause.description) for cause in causes if cause.kind == pb.CAUSE_KIND_OVERLAP]


async def _begun(store: Store, *job_ids: str) -> list[int]:
    jobs = [await store.load(job_id) for job_id in job_ids]
    return [job.start_time.ToMilliseconds() for job in jobs if job is not None]


async def test_one_in_line_waits_for_its_dates_and_begins_when_they_are_given_back(
    store: Store, redis: Redis, redis_server: RedisServer, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with serving(redis_server.url) as world, run_worker(worker_settings):
        await world.backfills.CreateBackfill(_wanting(0, 3, REJECT, "first"))
        second = await world.backfills.CreateBackfill(_wanting(1, 4, QUEUE, "second"))
        assert second.state == pb.JOB_STATE_QUEUED
        assert await _explained(world, "second") == [
            (pb.CAUSE_KIND_OVERLAP, "waits for jobs/first, which has 2025-02-06 and 1 more dates")
        ]
        first, job = await ended(store, "first"), await ended(store, "second")

    assert (first.state, job.state) == (pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_SUCCEEDED)
    assert job.start_time.ToMilliseconds() >= first.end_time.ToMilliseconds()
    # Rung for by whoever gave the dates back, long before the net below.
    assert job.start_time.ToMilliseconds() - first.end_time.ToMilliseconds() < 10_000
    assert event_log.replay(await events_of(redis, "second")) == job
    assert await redis.keys("hg:dates:*") == []


async def test_who_comes_first_is_served_first_and_nobody_slips_in_between(
    store: Store, redis_server: RedisServer, worker_settings: Settings, run_worker: RunWorker
) -> None:
    """The third one's dates are free of the first, and still it waits: the second was there before it."""
    async with serving(redis_server.url) as world, run_worker(worker_settings):
        await world.backfills.CreateBackfill(_wanting(0, 2, REJECT, "first"))
        await world.backfills.CreateBackfill(_wanting(1, 2, QUEUE, "second"))
        await world.backfills.CreateBackfill(_wanting(2, 2, QUEUE, "third"))
        assert "jobs/second" in str(await _explained(world, "third"))
        joined = await world.backfills.CreateBackfill(_wanting(3, 1, pb.OVERLAP_JOIN, "fourth"))
        assert joined.name == "jobs/third"
        jobs = [await ended(store, job_id) for job_id in ("first", "second", "third")]

    assert [job.state for job in jobs] == [pb.JOB_STATE_SUCCEEDED] * 3
    for before, after in itertools.pairwise(jobs):
        assert after.start_time.ToMilliseconds() >= before.end_time.ToMilliseconds()


async def test_one_in_line_can_be_cancelled_and_those_behind_it_move_up(
    store: Store, redis: Redis, redis_server: RedisServer, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with serving(redis_server.url) as world:
        await world.backfills.CreateBackfill(_wanting(0, 1, REJECT, "first"))
        await world.backfills.CreateBackfill(_wanting(0, 2, QUEUE, "second"))
        await world.backfills.CreateBackfill(_wanting(1, 1, QUEUE, "third"))
        await world.jobs.PauseJob(pb.PauseJobRequest(name="jobs/first"))  # it keeps its dates
        async with run_worker(worker_settings):
            await world.jobs.CancelJob(pb.CancelJobRequest(name="jobs/second"))
            assert (await ended(store, "second")).state == pb.JOB_STATE_CANCELLED
            assert (await ended(store, "third")).state == pb.JOB_STATE_SUCCEEDED
            assert await _state(world, "first") == pb.JOB_STATE_PAUSED

    held = hold_of(await _job(store, "first"))
    assert held is not None
    assert await redis.hgetall(held.key) == {held.days[0].encode(): b"first"}  # type: ignore[misc]


async def _job(store: Store, job_id: str) -> pb.Job:
    job = await store.load(job_id)
    assert job is not None
    return job


async def test_one_in_line_ends_at_its_deadline(
    store: Store, redis_server: RedisServer, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with serving(redis_server.url) as world:
        await world.backfills.CreateBackfill(_wanting(0, 1, REJECT, "first"))
        await world.jobs.PauseJob(pb.PauseJobRequest(name="jobs/first"))
        await world.backfills.CreateBackfill(_wanting(0, 1, QUEUE, "second", deadline=Duration(seconds=2)))
        async with run_worker(worker_settings):
            job = await ended(store, "second")

    assert job.state == pb.JOB_STATE_FAILED
    assert "deadline" in job.error.message
    assert not job.operations


async def test_a_pause_in_line_keeps_the_place_and_a_resume_does_not_begin_it(
    store: Store, redis_server: RedisServer, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with serving(redis_server.url) as world:
        await world.backfills.CreateBackfill(_wanting(0, 1, REJECT, "first"))
        await world.jobs.PauseJob(pb.PauseJobRequest(name="jobs/first"))
        await world.backfills.CreateBackfill(_wanting(0, 1, QUEUE, "second"))
        await world.jobs.PauseJob(pb.PauseJobRequest(name="jobs/second"))
        resumed = await world.jobs.ResumeJob(pb.ResumeJobRequest(name="jobs/second"))
        assert resumed.state == pb.JOB_STATE_QUEUED
        async with run_worker(worker_settings):
            await world.jobs.ResumeJob(pb.ResumeJobRequest(name="jobs/first"))
            first, second = await ended(store, "first"), await ended(store, "second")

    assert (first.state, second.state) == (pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_SUCCEEDED)
    assert second.start_time.ToMilliseconds() >= first.end_time.ToMilliseconds()


async def test_the_line_is_bounded(redis_server: RedisServer) -> None:
    async with serving(redis_server.url) as world:
        for n in range(MOST_WAITING):
            await world.backfills.CreateBackfill(_wanting(0, 1, QUEUE, f"j{n}"))
        with pytest.raises(grpc.RpcError, match="wait for dates of these tasks") as caught:
            await world.backfills.CreateBackfill(_wanting(9, 1, QUEUE, "last"))
        assert metadata_of(caught.value) == {"quota": "waiting_backfills", "limit": str(MOST_WAITING)}
        assert await world.redis.exists(keys.job("last")) == 0


@pytest.mark.parametrize("crash_at", ["taken:1", "committing:1", "committed:1", "committing:2", "committed:2"])
async def test_a_worker_killed_while_it_begins_one_in_line_loses_nothing(
    crash_at: str,
    store: Store,
    redis: Redis,
    redis_server: RedisServer,
    worker_settings: Settings,
    run_worker: RunWorker,
    emulator: RunningEmulator,
) -> None:
    async with serving(redis_server.url) as world:
        await world.backfills.CreateBackfill(_wanting(0, 1, QUEUE, "second"))
    assert await killed_worker(worker_settings, crash_at) == -signal.SIGKILL

    async with run_worker(worker_settings.model_copy(update={"settle_seconds": 0.5})):
        job = await ended(store, "second")

    assert job.state in JOB_TERMINAL | {pb.JOB_STATE_NEEDS_ATTENTION}
    if not any(op.outcome == pb.OPERATION_OUTCOME_INTENDED for op in job.operations):
        assert job.state == pb.JOB_STATE_SUCCEEDED
        assert await redis.keys("hg:dates:*") == []


async def test_a_line_whose_wakeup_was_lost_is_looked_at_again(
    store: Store,
    redis: Redis,
    redis_server: RedisServer,
    worker_settings: Settings,
    run_worker: RunWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headgate_worker.ticks.engine.LINE_MS", 300)
    async with serving(redis_server.url) as world, run_worker(worker_settings):
        await world.backfills.CreateBackfill(_wanting(0, 1, REJECT, "first"))
        await world.jobs.PauseJob(pb.PauseJobRequest(name="jobs/first"))
        await world.backfills.CreateBackfill(_wanting(0, 1, QUEUE, "second"))
        await eventually(lambda: _waits(redis))
        for key in await redis.keys("hg:dates:*"):
            if b":" not in key.removeprefix(b"hg:dates:"):
                await redis.delete(key)
        assert (await ended(store, "second")).state == pb.JOB_STATE_SUCCEEDED


async def _waits(redis: Redis) -> bool:
    await asyncio.sleep(0)
    return bool(await redis.hget(keys.job("second"), "lease") == b"0")  # type: ignore[misc]


async def test_a_job_that_was_accepted_before_any_worker_spoke_is_seen_and_ends_under_both_names(
    store: Store,
    redis: Redis,
    redis_server: RedisServer,
    worker_settings: Settings,
    run_worker: RunWorker,
    emulator: RunningEmulator,
    tmp_path: Path,
) -> None:
    file = tmp_path / "connections.toml"
    file.write_text(f'default = "eu"\n[connections.eu]\nkind = "dataworks"\nendpoint = "{emulator.url}"\n')
    settings = worker_settings.model_copy(update={"connections": str(file)})
    async with serving(redis_server.url) as world:
        first = await world.backfills.CreateBackfill(_wanting(0, 1, REJECT, "first"))
        await world.jobs.PauseJob(pb.PauseJobRequest(name="jobs/first"))
        async with run_worker(settings):
            probe = _wanting(5, 1, REJECT, "probe")
            probe.validate_only = True

            async def is_known() -> bool:
                return (await world.backfills.CreateBackfill(probe)).connection == "eu"

            await eventually(is_known)
            again = _wanting(0, 1, REJECT, "second")
            again.connection = "eu"
            with pytest.raises(grpc.RpcError) as caught:
                await world.backfills.CreateBackfill(again)
            assert reason_of(caught.value) == "BACKFILL_OVERLAP"
            await world.jobs.ResumeJob(pb.ResumeJobRequest(name="jobs/first"))
            assert (await ended(store, "first")).state == pb.JOB_STATE_SUCCEEDED
            second = await world.backfills.CreateBackfill(again)
            assert (await ended(store, "second")).state == pb.JOB_STATE_SUCCEEDED

    held = hold_of(second)
    assert (first.connection, second.connection) == ("", "eu") and held is not None
    assert await redis.exists(*held.keys("eu")) == 0
