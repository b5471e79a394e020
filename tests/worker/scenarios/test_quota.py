"""Many workers under one upstream quota: the rate is used and not passed, and a cancel gets through."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from redis.asyncio import Redis

from headgate import pb
from headgate.quota import limits
from headgate.store import keys, queue_entries
from headgate_emulator.app import RunningEmulator
from headgate_emulator.dataworks.quota import Limits
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker, eventually
from tests.worker.scenarios.test_backfill import ended
from tests.worker.submitting import backfill_job, cancel, days, seed_backfill, submit

QPS = 20


async def test_eight_workers_share_the_rate(
    store: Store, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.state.quota.limits = Limits(total_qps=QPS)
    settings = worker_settings.model_copy(update={"dataworks_total_qps": float(QPS)})
    spec = seed_backfill()
    del spec.biz_dates[:]
    spec.biz_dates.extend(days("2025-01-01", "2025-01-20"))
    spec.default_run_properties.parallelism = 10
    async with AsyncExitStack() as stack:
        for _ in range(8):
            await stack.enter_async_context(run_worker(settings))
        for _ in range(10):
            await submit(store, backfill_job(spec))

        async def enough() -> bool:
            return len(emulator.ledger.rows()) >= QPS * 6

        await eventually(enough, seconds=30)
        rows = emulator.ledger.rows()[QPS:]

    refused = [row for row in rows if row.status == 429]
    seconds = (rows[-1].at_ms - rows[0].at_ms) / 1000
    # Times on a busy machine wobble, and each refusal lowers the rate: that slots never pass it is test_governor's,
    # and the figures are those of the experiment `fleet-quota`.
    assert len(refused) <= len(rows) * 0.1, f"{len(refused)} of {len(rows)}"
    assert len(rows) / seconds >= QPS * 0.4, len(rows) / seconds


async def test_a_cancel_goes_through_while_reads_are_frozen(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.world.rules = replace(emulator.world.rules, run_seconds=3600)
    settings = worker_settings.model_copy(update={"dataworks_edition": "enterprise"})
    async with run_worker(settings):
        job_id = await submit(store, backfill_job(seed_backfill()))

        async def runs() -> bool:
            job = await store.load(job_id)
            return job is not None and job.counts.running == 1 and job.counts.blocked == 1

        await eventually(runs)
        far = await store.now_ms() + 3_600_000
        await redis.hset(keys.quota(""), "frozen:read", str(far))  # type: ignore[misc]
        job = await store.load(job_id)
        assert job is not None
        await cancel(store, job)

        async def stopped() -> bool:
            return bool(emulator.ledger.rows(action="StopWorkflowInstances"))

        await eventually(stopped)
        await redis.hdel(keys.quota(""), "frozen:read")  # type: ignore[misc]
        await eventually(lambda: _requeued(store, job_id))
        job = await ended(store, job_id)

    assert job.state == pb.JOB_STATE_CANCELLED, job
    assert {run.state for run in job.runs} == {pb.RUN_STATE_STOPPED}


async def _requeued(store: Store, job_id: str) -> bool:
    """Ring for a job that waits for the freeze to be over, as the reaper does for one that is late."""
    now_ms = await store.now_ms()
    await store.requeue({job_id: queue_entries.tick(job_id, nonce=str(now_ms), now_ms=now_ms)}, now_ms)
    await asyncio.sleep(0.2)
    job = await store.load(job_id)
    return job is not None and job.state == pb.JOB_STATE_CANCELLED


async def test_a_worker_says_which_connections_it_serves(
    redis: Redis, worker_settings: Settings, run_worker: RunWorker, emulator: RunningEmulator, tmp_path: Path
) -> None:
    file = tmp_path / "connections.toml"
    file.write_text(
        f'default = "eu"\n[connections.eu]\nkind = "dataworks"\nendpoint = "{emulator.url}"\nedition = "basic"\n'
        f'[connections.us]\nkind = "dataworks"\nendpoint = "{emulator.url}"\n'
    )

    async def said(name: str) -> dict[str, str]:
        raw = await redis.hgetall(keys.quota(name))  # type: ignore[misc]
        return {key.decode(): value.decode() for key, value in raw.items()}

    async def announced() -> bool:
        return bool(await said("us"))

    async with run_worker(worker_settings.model_copy(update={"connections": str(file)})):
        await eventually(announced)

    assert limits.announced_limits(await said("eu")) == limits.EDITIONS["basic"]
    assert limits.announced_limits(await said("us")) == limits.EDITIONS["unlimited"]
    assert (await said(""))[limits.ALIAS] == "eu"
    assert 0 < await redis.pttl(keys.quota("eu")) <= limits.KEEP_MS
    assert await redis.pttl(keys.quota("")) == -1, "the alias stays while no worker runs"

    async def is_its_own() -> bool:
        return limits.ALIAS not in await said("") and "limits" in await said("")

    async with run_worker(worker_settings):
        await eventually(is_its_own)
    assert 0 < await redis.pttl(keys.quota("")) <= limits.KEEP_MS
