"""ExplainJob over the wire, where what is told comes from Redis and from a real worker, not from the job alone."""

from __future__ import annotations

import json
from dataclasses import replace

from redis.asyncio import Redis

from headgate import pb
from headgate.process import wait_bounds
from headgate.process.child_release import ChildRelease, ReleaseFact, encode_release
from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from headgate_worker.process.settings import Settings
from tests.server.world import World, backfill, serving
from tests.worker.conftest import RunWorker, eventually


async def explained(world: World, job: pb.Job) -> list[pb.Cause]:
    return list((await world.jobs.ExplainJob(pb.ExplainJobRequest(name=job.name))).causes)


async def has(world: World, job: pb.Job, kind: pb.CauseKind.ValueType) -> pb.Cause:
    found: list[pb.Cause] = []

    async def is_there() -> bool:
        found[:] = [cause for cause in await explained(world, job) if cause.kind == kind]
        return bool(found)

    await eventually(is_there)
    return found[0]


async def test_a_worker_that_is_absent_and_one_that_is_silent_are_told(redis_server: RedisServer, redis: Redis) -> None:
    async with serving(redis_server.url) as world:
        job = await world.backfills.CreateBackfill(backfill())

        first, queue = await explained(world, job)
        seconds, _ = await redis.time()
        await redis.zadd(keys.WORKERS, {"w": int(seconds) * 1_000 - 60_000})
        silent, _ = await explained(world, job)

    assert (first.kind, first.HasField("since")) == (pb.CAUSE_KIND_WORKER_ABSENT, False)
    assert (queue.kind, queue.since) == (pb.CAUSE_KIND_QUEUE, job.create_time)
    assert (silent.kind, silent.since.ToMilliseconds()) == (
        pb.CAUSE_KIND_WORKER_ABSENT,
        int(seconds) * 1_000 - 60_000,
    )


async def test_a_pause_is_told_since_when_it_was_asked_for_whatever_happens_after(redis_server: RedisServer) -> None:
    async with serving(redis_server.url) as world:
        job = await world.backfills.CreateBackfill(backfill())
        paused = await world.jobs.PauseJob(pb.PauseJobRequest(name=job.name))
        update = pb.UpdateJobRequest(job=pb.Job(name=job.name, priority=3))
        await world.jobs.UpdateJob(update)

        cause = await has(world, job, pb.CAUSE_KIND_PAUSED)

    assert cause.since == paused.update_time


async def test_who_has_the_dates_is_told_by_name(redis_server: RedisServer) -> None:
    request = backfill()
    request.spec.overlap = pb.OVERLAP_QUEUE_AFTER
    async with serving(redis_server.url) as world:
        holder = await world.backfills.CreateBackfill(request)
        del request.spec.biz_dates[1:]
        waiting = await world.backfills.CreateBackfill(request)

        cause = await has(world, waiting, pb.CAUSE_KIND_OVERLAP)

    assert (cause.other_job, cause.runs, cause.since) == (holder.name, 1, waiting.create_time)


async def test_a_queue_for_the_quota_is_told_with_its_end_and_waits_are_announced(
    redis_server: RedisServer, redis: Redis, worker_settings: Settings, run_worker: RunWorker
) -> None:
    slow = worker_settings.model_copy(update={"dataworks_total_qps": 0.4, "adopt_grace_seconds": 7.0})
    async with run_worker(slow), serving(redis_server.url) as world:
        job = await world.backfills.CreateBackfill(backfill())

        cause = await has(world, job, pb.CAUSE_KIND_QUOTA)
        seconds, _ = await redis.time()
        hash_: dict[bytes, bytes] = await redis.hgetall(keys.quota(""))  # type: ignore[misc]

    assert (cause.subject, 0 < cause.expected_clear_time.seconds - int(seconds) + 2 < 20) == ("rate", True)
    waits = wait_bounds.announced({key.decode(): value.decode() for key, value in hash_.items()})
    assert waits.adopt_grace_ms == 7_000
    assert json.loads(hash_[b"waits"])["settle_ms"] == 180_000


async def test_what_is_remembered_of_children_is_read_and_damage_of_it_is_passed_over(
    redis_server: RedisServer, redis: Redis
) -> None:
    learnt = ChildRelease(after_failure=ReleaseFact(False, 1))
    async with serving(redis_server.url) as world:
        job = await world.backfills.CreateBackfill(backfill())
        job_id = keys.job_id(job.name)
        await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
        runs = [*job.runs]
        for run, state in zip(runs, (pb.RUN_STATE_FAILED, pb.RUN_STATE_BLOCKED), strict=True):
            run.state, run.workflow_instance_id = state, 11 + run.index
        runs[1].blocked_by_id = 11
        runs[0].finished_time.GetCurrentTime()
        runs[1].parent_end_time.GetCurrentTime()
        spec = pb.BackfillSpec(on_failure=pb.ON_FAILURE_CONTINUE)
        await world.jobs.UpdateJob(pb.UpdateJobRequest(job=pb.Job(name=job.name, backfill=spec)))
        await world.worker.append(job_id, pb.JobEvent(type=pb.EVENT_TYPE_RUN_CHANGED, runs=runs))

        waits = (await has(world, job, pb.CAUSE_KIND_PARENT_FAILED)).HasField("expected_clear_time")
        seconds, _ = await redis.time()
        learnt = replace(learnt, after_failure=ReleaseFact(False, int(seconds) * 1_000))
        await redis.set(keys.child_release(job.connection), encode_release(learnt))
        at_once = (await has(world, job, pb.CAUSE_KIND_PARENT_FAILED)).HasField("expected_clear_time")
        await redis.delete(keys.child_release(job.connection))
        await redis.lpush(keys.child_release(job.connection), "damage")  # type: ignore[misc]
        unknown = (await has(world, job, pb.CAUSE_KIND_PARENT_FAILED)).HasField("expected_clear_time")

    assert (waits, at_once, unknown) == (True, False, True)
