"""A watch follows to the job's present end in every form, whatever ends its history has on the way."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

import pytest

from headgate import pb
from headgate.backfill.dates import to_message
from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from headgate_client import Client
from tests.cli.processes import headgate, read_until, start
from tests.cli.terminal import at_terminal
from tests.server.jobs.test_resolve import in_doubt
from tests.server.jobs.test_retry import ended
from tests.server.world import DAY, World, serving

pytestmark = pytest.mark.slow

FORMS: Mapping[str, tuple[str, ...]] = {
    "plain": (),
    "json": ("-o", "json"),
    "gantt": ("--gantt",),
    "gantt json": ("--gantt", "-o", "json"),
    "snapshot": ("--start-revision", "0"),
    "later": ("--start-revision", "5"),
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with RedisServer() as redis, serving(redis.url) as found:
        yield found


async def retried(world: World) -> str:
    """A job that failed, was retried and has succeeded; its id."""
    job = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED)
    await world.jobs.RetryJob(pb.RetryJobRequest(name=job.name))
    return keys.job_id((await world.worker.finish(keys.job_id(job.name))).name)


async def resolved(world: World) -> str:
    """A job that needed attention, was resolved and has not ended; its id."""
    job = await in_doubt(world)
    ids = [11, 12]
    request = pb.ResolveJobRequest(
        name=job.name, resolution=pb.RESOLUTION_EXECUTED, workflow_instance_ids=ids, reason="seen"
    )
    await world.jobs.ResolveJob(request)
    return keys.job_id(job.name)


@pytest.mark.parametrize("form", FORMS)
async def test_a_retried_job_is_followed_to_its_second_end(world: World, form: str) -> None:
    job_id = await retried(world)
    last = (await world.worker.load(job_id)).revision

    done = await headgate("watch", job_id, *FORMS[form], target=world.address)

    assert (done.status, done.err) == (0, "")
    _ends_at(done.out, form, job_id, last)


@pytest.mark.parametrize("form", FORMS)
async def test_a_resolved_job_is_followed_to_its_end(world: World, form: str) -> None:
    job_id = await resolved(world)
    watching = await start("watch", job_id, *FORMS[form], target=world.address)
    if form != "gantt":  # which writes nothing before the end
        await read_until(watching, "\n")
    last = (await world.worker.finish(job_id)).revision
    async with asyncio.timeout(30):
        out, err = await watching.communicate()

    assert watching.returncode == 0, err
    _ends_at(out.decode(), form, job_id, last)


def _ends_at(out: str, form: str, job_id: str, last: int) -> None:
    lines = out.splitlines()
    if form == "gantt":
        assert lines[0].startswith(f"jobs/{job_id}  succeeded") and lines[0].endswith(f"rev {last}")
    elif "json" in form:
        assert json.loads(lines[-1])["revision"] == str(last)
    else:
        assert lines[-1].startswith(f"jobs/{job_id} succeeded")


@pytest.mark.parametrize("form", FORMS)
async def test_a_job_that_needs_a_person_now_ends_a_watch_wherever_it_begins(world: World, form: str) -> None:
    job = await in_doubt(world)

    async with asyncio.timeout(30):
        done = await headgate("watch", keys.job_id(job.name), *FORMS[form], target=world.address)

    assert done.status == 1 and "headgate jobs resolve" in done.err


@pytest.mark.parametrize("form", ["plain", "gantt"])
async def test_a_person_at_a_terminal_sees_the_present_end(world: World, form: str) -> None:
    job_id = await retried(world)

    status, text = await at_terminal(world.address, "", "watch", job_id, *FORMS[form])

    assert status == 0 and f"jobs/{job_id}  succeeded" in text and "failed" not in text.rpartition(job_id)[2]


async def test_looking_back_shows_the_old_end_and_is_no_failure(world: World) -> None:
    job_id = await retried(world)
    failed = (await world.worker.load(job_id)).revision - 2

    old = await headgate("watch", job_id, "--at", str(failed), "--gantt", target=world.address)

    assert old.status == 0 and old.out.splitlines()[0].startswith(f"jobs/{job_id}  failed")


async def test_a_repeated_submit_waits_for_the_present_end(world: World) -> None:
    flags = (
        *("--project-id", "257880", "--name", "seed", "--biz-dates", "2025-02-05", "--root-task-ids", "1"),
        *("--mode", "AllDownstream", "--parallelism", "1", "--env-type", "Prod", "--job-id", "again"),
        *("--request-id", "once"),
    )
    await headgate("backfill", *flags, target=world.address)
    await world.worker.move("again", pb.JOB_STATE_RUNNING)
    await world.worker.move("again", pb.JOB_STATE_FAILED)
    await world.jobs.RetryJob(pb.RetryJobRequest(name="jobs/again"))
    await world.worker.finish("again")

    done = await headgate("backfill", *flags, "--wait", target=world.address)

    assert done.status == 0 and "jobs/again succeeded" in done.out


async def test_the_library_waits_for_the_present_end(world: World) -> None:
    job_id = await retried(world)
    async with Client(world.address) as client, asyncio.timeout(30):
        job = await client.jobs.handle(job_id).result()
        seen = [item.revision async for item in client.jobs.watch(job_id, start_revision=1)]

    assert job.state == pb.JOB_STATE_SUCCEEDED and seen[-1] == job.revision
    assert to_message(DAY) in [run.biz_date for run in job.runs]


async def test_a_watch_of_the_library_can_stop_where_a_person_is_needed(world: World) -> None:
    job_id = await resolved(world)
    async with Client(world.address) as client, asyncio.timeout(30):
        watch = client.jobs.watch(job_id, start_revision=1, until_settled=True)
        await anext(watch)
        doubt = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_NEEDS_ATTENTION)
        last = (await world.worker.append(job_id, doubt)).revision
        rest = [item.revision async for item in watch]

    assert rest[-1] == last and watch.job is not None
    assert watch.job.state == pb.JOB_STATE_NEEDS_ATTENTION
