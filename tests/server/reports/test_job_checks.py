"""The self-check of jobs: nothing is found in what headgate writes, and everything in what it would not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from headgate import pb
from headgate.store import keys
from headgate.store.date_claims import hold_of
from tests.server.jobs.test_retry import ended
from tests.server.reports.streams import succeeded
from tests.server.world import World, backfill, reason_of

Harm = Callable[[World, str], Awaitable[Any]]


async def check(world: World, job_id: str = "") -> pb.CheckJobsResponse:
    """What is found of a job, or of all of them."""
    whole = pb.CheckJobsResponse()
    request = pb.CheckJobsRequest(name=keys.job_name(job_id) if job_id else "", page_size=2)
    while True:
        page = await world.admin.CheckJobs(request)
        whole.findings.extend(page.findings)
        whole.checked += page.checked
        if not page.next_page_token:
            return whole
        request.page_token = page.next_page_token


async def subjects(world: World, job_id: str) -> list[str]:
    return [one.subject for one in (await check(world, job_id)).findings]


async def running(world: World) -> str:
    """A backfill that runs and holds its dates; its job id."""
    request = backfill(job_id="held")
    request.spec.overlap = pb.OVERLAP_REJECT
    await world.backfills.CreateBackfill(request)
    await world.worker.move("held", pb.JOB_STATE_RUNNING)
    return "held"


async def test_nothing_is_found_in_what_headgate_writes(world: World) -> None:
    await world.submit()
    await running(world)
    await succeeded(world)
    await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED)
    await world.jobs.CancelJob(pb.CancelJobRequest(name=keys.job_name(await world.submit())))

    found = await check(world)

    assert not found.findings
    assert found.checked == 5


def edited(change: Callable[[pb.Job], object]) -> Harm:
    """The kept job with something changed."""

    async def harm(world: World, job_id: str) -> None:
        job = pb.Job.FromString(await world.redis.hget(keys.job(job_id), "snap"))  # type: ignore[misc]
        change(job)
        await world.redis.hset(keys.job(job_id), "snap", job.SerializeToString())  # type: ignore[misc, arg-type]

    return harm


def column(name: str, value: str) -> Harm:
    async def harm(world: World, job_id: str) -> None:
        await world.redis.hset(keys.job(job_id), name, value)  # type: ignore[misc]

    return harm


def unlisted(index: str) -> Harm:
    return lambda world, job_id: world.redis.zrem(index, job_id)


def listed(index: str) -> Harm:
    return lambda world, job_id: world.redis.zadd(index, {job_id: 1})


async def cut_log(world: World, job_id: str) -> None:
    await world.redis.rpop(keys.log(job_id))  # type: ignore[misc]


async def spoil_event(world: World, job_id: str) -> None:
    await world.redis.lset(keys.log(job_id), 1, b"\xff")  # type: ignore[misc, arg-type]


async def swap_events(world: World, job_id: str) -> None:
    first, second = await world.redis.lrange(keys.log(job_id), 1, 2)  # type: ignore[misc]
    await world.redis.lset(keys.log(job_id), 1, second)  # type: ignore[misc]
    await world.redis.lset(keys.log(job_id), 2, first)  # type: ignore[misc]


async def spoil_log(world: World, job_id: str) -> None:
    await world.redis.set(keys.log(job_id), "no list")


RUNNING, ENDED = keys.state(pb.JOB_STATE_RUNNING), keys.state(pb.JOB_STATE_SUCCEEDED)

HARMS: dict[str, tuple[Harm, str]] = {
    "a run's state": (edited(lambda job: setattr(job.runs[1], "state", pb.RUN_STATE_FAILED)), "runs[1].state"),
    "a run's id": (
        edited(lambda job: setattr(job.runs[0], "workflow_instance_id", 99)),
        "runs[0].workflow_instance_id",
    ),
    "a run that is gone": (edited(lambda job: job.runs.pop()), "runs"),
    "the creator": (edited(lambda job: setattr(job, "creator", "mallory")), "creator"),
    "a label": (edited(lambda job: job.labels.update({"a": "b"})), "labels"),
    "the end": (edited(lambda job: job.end_time.FromSeconds(5)), "end_time.seconds"),
    "the spec": (edited(lambda job: setattr(job.backfill, "name", "other")), "backfill.name"),
    "the counts": (edited(lambda job: setattr(job.counts, "failed", 1)), "counts.failed"),
    "the state": (column("st", "2"), "column st"),
    "the uid": (column("uid", "0" * 16), "column uid"),
    "the connection": (column("conn", "elsewhere"), "column conn"),
    "the bytes of the log": (column("lb", "1"), "column lb"),
    "the revision": (column("rev", "2"), "log"),
    "no revision": (column("rev", "nonsense"), "log"),
    "the number of acceptance": (column("seq", "77"), "index jobs"),
    "no snapshot": (column("snap", "\x01"), "snapshot"),
    "a log that is cut": (cut_log, "log"),
    "a log that is none": (spoil_log, "log"),
    "an event that can't be read": (spoil_event, "event 2"),
    "events out of order": (swap_events, "event 2"),
    "the index of all": (unlisted(keys.JOBS), "index jobs"),
    "the index of its state": (unlisted(ENDED), "index of SUCCEEDED"),
    "the index of another state": (listed(RUNNING), "index of RUNNING"),
    "the index of those that expire": (unlisted(keys.EXPIRING), "index expiring"),
    "the index of those that are due": (listed(keys.DUE), "index due"),
    "the index of damaged ones": (listed(keys.DAMAGED), "index damaged"),
}


@pytest.mark.parametrize("harm", HARMS)
async def test_what_is_not_as_it_has_to_be_is_named(world: World, harm: str) -> None:
    job_id = await succeeded(world)
    done, subject = HARMS[harm]
    await done(world, job_id)

    assert subject in await subjects(world, job_id)
    assert subject in [one.subject for one in (await check(world)).findings]


async def test_an_active_job_is_due_and_holds_its_dates(world: World) -> None:
    job_id = await running(world)
    hold = hold_of(await world.worker.load(job_id))
    assert hold is not None
    await world.redis.zrem(keys.DUE, job_id)
    await world.redis.hdel(hold.key, "20250206")  # type: ignore[misc]

    found = await check(world, job_id)

    assert [one.subject for one in found.findings] == ["index due", "dates"]
    assert found.findings[1].description == "1 are not held, though the job runs them; the first is 20250206"


async def test_an_ended_job_holds_no_dates(world: World) -> None:
    job_id = await running(world)
    hold = hold_of(await world.worker.finish(job_id))
    assert hold is not None
    await world.redis.hset(hold.key, "20250206", job_id)  # type: ignore[misc]

    assert await subjects(world, job_id) == ["dates"]


async def test_an_index_that_names_no_job_is_found(world: World) -> None:
    await world.redis.zadd(keys.JOBS, {"ghost": 5})
    await world.redis.zadd(RUNNING, {"ghost": 5})

    found = await check(world)

    assert [(one.job, one.subject) for one in found.findings] == [
        ("jobs/ghost", "index jobs"),
        ("jobs/ghost", "index of RUNNING"),
    ]
    assert found.checked == 0


async def test_a_job_that_is_not_there_is_unknown_and_a_bad_token_is_refused(world: World) -> None:
    for request, reason in (
        (pb.CheckJobsRequest(name="jobs/nothing"), "JOB_UNKNOWN"),
        (pb.CheckJobsRequest(page_token="x5"), "PAGE_TOKEN_INVALID"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            await world.admin.CheckJobs(request)
        assert reason_of(caught.value) == reason
