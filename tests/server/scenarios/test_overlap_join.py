"""A backfill that joins another: one that has all of its dates, or none at all."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import PreconditionFailure
from redis.asyncio import Redis

from headgate import pb
from headgate.store import keys
from tests.server.watching import read
from tests.server.world import DAY, World, backfill, detail, metadata_of, ranges, reason_of, status_of


def wanting(count: int, overlap: pb.Overlap.ValueType = pb.OVERLAP_JOIN, **given: Any) -> pb.CreateBackfillRequest:
    """A backfill of the first so many dates."""
    request = backfill(**given)
    request.spec.overlap = overlap
    del request.spec.biz_dates[:]
    request.spec.biz_dates.extend(ranges(*(DAY + timedelta(days=n) for n in range(count))))
    return request


async def _jobs(redis: Redis) -> int:
    return int(await redis.zcard(keys.JOBS))


async def test_one_that_is_covered_is_answered_with_the_other_job(world: World) -> None:
    first = await world.backfills.CreateBackfill(wanting(3, pb.OVERLAP_REJECT))
    joined = await world.backfills.CreateBackfill(wanting(2, job_id="second"))

    assert (joined.name, joined.uid) == (first.name, first.uid)
    assert await _jobs(world.redis) == 1


async def test_the_request_id_points_to_the_job_that_was_joined_even_when_that_has_ended(world: World) -> None:
    first = await world.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT))
    joined = await world.backfills.CreateBackfill(wanting(2, request_id="r"))
    for key in await world.redis.keys("hg:dates:*"):
        await world.redis.delete(key)
    again = await world.backfills.CreateBackfill(wanting(2, request_id="r"))

    assert joined.name == again.name == first.name
    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(wanting(1, request_id="r"))
    assert reason_of(caught.value) == "REQUEST_ID_REUSED"


async def test_where_nobody_has_the_dates_it_is_a_job_of_its_own_that_holds_them(world: World) -> None:
    first = await world.backfills.CreateBackfill(wanting(2))

    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT))
    assert metadata_of(caught.value)["job"] == first.name


async def test_one_that_is_covered_in_part_is_refused_with_the_dates_that_are_not(world: World) -> None:
    first = await world.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT))
    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(wanting(4, job_id="second", request_id="r"))

    assert reason_of(caught.value) == "BACKFILL_OVERLAP"
    assert metadata_of(caught.value) == {"job": first.name, "dates": "2"}
    violations = detail(status_of(caught.value), PreconditionFailure).violations
    assert [(item.type, item.subject) for item in violations] == [
        ("BIZ_DATE_NOT_COVERED", "2025-02-07"),
        ("BIZ_DATE_NOT_COVERED", "2025-02-08"),
    ]
    assert "QUEUE_AFTER" in str(caught.value.details())
    assert await world.redis.exists(keys.job("second"), keys.request("anonymous", "r")) == 0


async def test_two_jobs_that_cover_it_together_are_not_one(world: World) -> None:
    await world.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT))
    rest = wanting(1, pb.OVERLAP_REJECT)
    rest.spec.biz_dates[0].CopyFrom(next(iter(ranges(DAY + timedelta(days=2)))))
    other = await world.backfills.CreateBackfill(rest)

    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(wanting(3))
    violation = detail(status_of(caught.value), PreconditionFailure).violations[0]
    assert violation.subject == "2025-02-07"
    assert other.name in violation.description


async def test_of_many_at_once_one_is_the_job_and_all_are_answered_with_it(world: World) -> None:
    answers = await asyncio.gather(*(world.backfills.CreateBackfill(wanting(2)) for _ in range(30)))

    assert len({job.uid for job in answers}) == 1
    assert await _jobs(world.redis) == 1


async def test_run_job_watches_the_job_that_it_joins(world: World) -> None:
    first = await world.backfills.CreateBackfill(wanting(2, pb.OVERLAP_REJECT, job_id="first"))
    call = world.jobs.RunJob(pb.RunJobRequest(backfill=wanting(2)))
    (response,) = await read(call, 1)
    assert response.job == first.name
    await world.jobs.CancelJob(pb.CancelJobRequest(name=first.name))

    (response,) = await read(call, 1)
    assert response.event.state == pb.JOB_STATE_CANCELLING
    call.cancel()
