"""Read, decide, commit: a change against etags and other writers."""

import asyncio

from headgate import pb
from headgate.store import keys
from tests.server.world import World, refusal


async def test_an_old_etag_is_refused(world: World) -> None:
    job_id = await world.submit()
    etag = (await world.worker.load(job_id)).etag
    await world.worker.say(job_id)
    name = keys.job_name(job_id)

    assert await refusal(world.jobs.CancelJob(pb.CancelJobRequest(name=name, etag=etag))) == "ETAG_MISMATCH"
    etag = (await world.worker.load(job_id)).etag
    assert (await world.jobs.CancelJob(pb.CancelJobRequest(name=name, etag=etag))).state == pb.JOB_STATE_CANCELLING


async def test_a_cancel_wins_against_a_worker_that_keeps_writing(world: World) -> None:
    job_id = await world.submit()
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            try:
                await world.worker.say(job_id)
            except AssertionError:  # the cancel was faster, this once
                continue

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        job = await world.jobs.CancelJob(pb.CancelJobRequest(name=keys.job_name(job_id)))
        stop.set()
    assert job.state == pb.JOB_STATE_CANCELLING
