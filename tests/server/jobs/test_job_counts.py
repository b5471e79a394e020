"""Jobs counted by state."""

from headgate import pb
from tests.server.world import World


async def test_jobs_are_counted_by_state(world: World) -> None:
    job_ids = [await world.submit() for _ in range(3)]
    await world.worker.move(job_ids[0], pb.JOB_STATE_RUNNING)

    reply = await world.jobs.CountJobs(pb.CountJobsRequest())

    assert {row.state: row.count for row in reply.counts} == {pb.JOB_STATE_QUEUED: 2, pb.JOB_STATE_RUNNING: 1}
