"""One read for all: jobs, callers and workers share what any of them has read, and nobody waits long for the dead."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.store import keys
from headgate.store.observations import LEASE_MS, KeptObservation
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import ErrorReply, Latency, RunFor
from headgate_worker.ports.store import ReadClaim
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from headgate_worker.store.shared_reads import SharedReads
from tests.worker.conftest import RunWorker, eventually
from tests.worker.reads.conftest import read, reason
from tests.worker.scenarios.test_backfill import ended
from tests.worker.scenarios.test_usage import asked, billed
from tests.worker.submitting import backfill_job, new_job, seed_backfill, submit

ROW = pb.WorkflowInstance(id=7, status_raw="Running")


async def claimed(shared_reads: SharedReads, since_ms: int | None = None) -> ReadClaim:
    found = await shared_reads.ask("eu", 7, since_ms)
    assert isinstance(found, ReadClaim)
    return found


async def test_many_who_ask_at_once_are_served_by_two_reads_at_most(redis: Redis) -> None:
    reads = 0

    async def caller() -> bytes:
        nonlocal reads
        shared_reads = SharedReads(redis)
        found = await shared_reads.ask("eu", 7)
        if isinstance(found, KeptObservation):
            return found.body
        reads += 1
        await asyncio.sleep(0.2)  # the read's own time
        await shared_reads.publish(found, ROW)
        return ROW.SerializeToString()

    rows = await asyncio.gather(*(caller() for _ in range(100)))

    assert set(rows) == {ROW.SerializeToString()}
    assert reads <= 2  # one under way when some asked, and one for those, since they want to know it as it is now


async def test_what_was_read_before_it_was_asked_is_not_now(redis: Redis) -> None:
    shared_reads = SharedReads(redis)
    claim = await claimed(shared_reads)
    await shared_reads.publish(claim, ROW)

    async def a_millisecond_has_passed() -> bool:
        seconds, micros = await redis.time()
        return int(seconds) * 1000 + int(micros) // 1000 > claim.at_ms

    await eventually(a_millisecond_has_passed)  # times are told in ms, and what is of the same one counts as now
    again = await claimed(shared_reads)
    await shared_reads.abandon(again)

    assert again.at_ms > claim.at_ms
    assert isinstance(await shared_reads.ask("eu", 7, claim.at_ms), KeptObservation)
    assert isinstance(await shared_reads.ask("eu", 7, claim.at_ms + 1), ReadClaim)


@pytest.mark.parametrize("harm", ["rubbish", "another row", "another type", "a claim of another type", "no time"])
async def test_what_is_kept_and_can_not_be_read_is_read_anew(redis: Redis, harm: str) -> None:
    shared_reads = SharedReads(redis)
    claim = await claimed(shared_reads)
    await shared_reads.publish(claim, ROW)
    seen, name = keys.observation("eu", 7), keys.claim("eu", 7)
    if harm in ("rubbish", "another row"):
        other = pb.WorkflowInstance(id=8).SerializeToString()
        await redis.set(seen, b"\xff\xff" if harm == "rubbish" else other)
    elif harm == "another type":
        await redis.delete(seen)
        await redis.lpush(seen, "x")  # type: ignore[misc]
    elif harm == "no time":
        await redis.hset(name, "at", "never")  # type: ignore[misc]
    else:
        await redis.set(name, "x")

    async with asyncio.timeout(5):
        again = await claimed(shared_reads, claim.at_ms)
        await shared_reads.publish(again, ROW)
        found = await shared_reads.ask("eu", 7, again.at_ms)
    assert isinstance(found, KeptObservation) and found.body == ROW.SerializeToString()


async def test_a_dead_holder_costs_its_lease(redis: Redis) -> None:
    shared_reads = SharedReads(redis)
    await claimed(shared_reads)
    began = time.monotonic()

    await claimed(shared_reads)

    assert 0.5 * LEASE_MS / 1000 < time.monotonic() - began < LEASE_MS / 1000 + 2


async def test_a_holder_that_gives_up_holds_nobody_back(redis: Redis) -> None:
    shared_reads = SharedReads(redis)
    first = await claimed(shared_reads)
    waiting = asyncio.create_task(claimed(shared_reads))
    await asyncio.sleep(0)
    began = time.monotonic()

    await shared_reads.abandon(first)
    second = await waiting
    await shared_reads.abandon(first)  # a late word of the first does not end the claim of the second

    assert time.monotonic() - began < 1
    assert await redis.hget(keys.claim("eu", 7), "token") == second.token.encode()  # type: ignore[misc]


async def test_an_earlier_read_that_lands_late_takes_nothing_back(redis: Redis) -> None:
    shared_reads = SharedReads(redis)
    early = await claimed(shared_reads)
    await redis.hdel(keys.claim("eu", 7), "until")  # type: ignore[misc]  # its lease is over
    await redis.pexpire(keys.claim("eu", 7), 60_000)
    late = ReadClaim("eu", "", early.at_ms + 1_000)
    await shared_reads.publish(late, pb.WorkflowInstance(id=7, status_raw="Success"))

    await shared_reads.publish(early, ROW)

    kept = pb.WorkflowInstance.FromString(bytes(await redis.get(keys.observation("eu", 7)) or b""))
    assert kept.status_raw == "Success"


async def test_callers_who_ask_at_once_cost_the_cloud_two_reads(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, backfill_job(seed_backfill())))
        wanted = pb.GetWorkflowInstanceRequest(id=job.runs[0].workflow_instance_id)
        emulator.faults.add([Latency(action="GetWorkflowInstance", millis=300, count=100)])
        before = len(emulator.ledger.rows())

        replies = await asyncio.gather(*(read(redis, "GetWorkflowInstance", wanted) for _ in range(15)))

        assert all(reply.ok for reply in replies)
        assert len(emulator.ledger.rows()) - before <= 2


async def test_a_read_that_fails_fails_only_its_own_caller_and_holds_nobody(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, backfill_job(seed_backfill())))
        wanted = pb.GetWorkflowInstanceRequest(id=job.runs[0].workflow_instance_id)
        emulator.faults.add([ErrorReply(action="GetWorkflowInstance", code="Throttling.User", status=429)])

        refused = await read(redis, "GetWorkflowInstance", wanted)
        answered = await read(redis, "GetWorkflowInstance", wanted, seconds=2.0)

    assert reason(refused) == "UPSTREAM_QPS"
    assert answered.ok


async def test_jobs_that_follow_one_instance_share_its_reads(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    emulator.faults.add([RunFor(seconds=4.0)])
    async with run_worker(worker_settings), run_worker(worker_settings):
        job_ids = [await submit(store, backfill_job(seed_backfill()))]
        first = await _first_that_runs(store, job_ids[0])
        runs = [pb.InstanceRun(workflow_instance_id=first, state=pb.RUN_STATE_CREATED, attempt=1, operation_index=-1)]
        spec = pb.StartWorkflowInstancesSpec(ids=[first])
        job_ids += [await submit(store, new_job(start=spec, runs=runs)) for _ in range(9)]
        jobs = [await ended(store, job_id) for job_id in job_ids]

    assert {job.state for job in jobs} == {pb.JOB_STATE_SUCCEEDED}
    bill = await billed(redis, job_ids)
    assert {name: bill[name] for name in ("reads", "writes")} == asked(emulator)
    own = [row for row in emulator.ledger.rows(action="GetWorkflowInstance") if row.params["Id"] == str(first)]
    # Alone it is read every half a second, nine times; ten jobs by themselves would make ninety of that.
    assert len(own) <= 9 + 2 * len(job_ids), len(own)


async def _first_that_runs(store: Store, job_id: str) -> int:
    async def runs() -> bool:
        job = await store.load(job_id)
        return job is not None and job.runs[0].state == pb.RUN_STATE_RUNNING

    await eventually(runs)
    job = await store.load(job_id)
    assert job is not None
    return job.runs[0].workflow_instance_id
