"""Two active backfills never run the same date of the same tasks, unless both say that they may."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import PreconditionFailure

from headgate import pb
from headgate.store import keys
from headgate.store.date_claims import hold_of
from tests.server.world import World, backfill, detail, metadata_of, reason_of, status_of


def holding(**given: Any) -> pb.CreateBackfillRequest:
    """The backfill of two dates that minds others."""
    request = backfill(**given)
    request.spec.ClearField("overlap")
    return request


async def test_a_second_backfill_of_the_same_dates_is_refused_and_leaves_nothing(world: World) -> None:
    first = await world.backfills.CreateBackfill(holding(job_id="first"))

    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(holding(job_id="second", request_id="r"))

    assert reason_of(caught.value) == "BACKFILL_OVERLAP"
    assert metadata_of(caught.value) == {"job": first.name, "dates": "2"}
    violations = detail(status_of(caught.value), PreconditionFailure).violations
    assert [violation.subject for violation in violations] == ["2025-02-05", "2025-02-06"]
    assert await world.redis.exists(keys.job("second"), keys.request("anonymous", "r")) == 0


async def test_many_at_once_accept_exactly_one(world: World) -> None:
    submits = [world.backfills.CreateBackfill(holding()) for _ in range(30)]
    answers = await asyncio.gather(*submits, return_exceptions=True)

    assert sum(isinstance(answer, pb.Job) for answer in answers) == 1
    assert await world.redis.zcard(keys.JOBS) == 1


async def test_other_dates_tasks_and_environments_are_apart(world: World) -> None:
    await world.backfills.CreateBackfill(holding())
    other_task, other_date, other_env = holding(), holding(), holding()
    other_task.spec.default_run_properties.root_task_ids[0] = 7
    for item in other_date.spec.biz_dates:
        item.start_biz_date.year = item.end_biz_date.year = 2024
    other_env.spec.env_type = pb.ENV_TYPE_DEV

    for request in (other_task, other_date, other_env):
        assert (await world.backfills.CreateBackfill(request)).name


async def test_allow_neither_holds_nor_minds(world: World) -> None:
    await world.backfills.CreateBackfill(backfill())
    await world.backfills.CreateBackfill(holding())
    await world.backfills.CreateBackfill(backfill())


async def test_the_same_request_id_is_no_overlap(world: World) -> None:
    first = await world.backfills.CreateBackfill(holding(request_id="r"))
    assert (await world.backfills.CreateBackfill(holding(request_id="r"))).name == first.name


async def test_dates_of_a_job_that_is_gone_are_free(world: World) -> None:
    first = await world.backfills.CreateBackfill(holding())
    await world.redis.delete(keys.job(keys.job_id(first.name)))
    assert (await world.backfills.CreateBackfill(holding())).name != first.name


def test_what_is_held_is_named_by_its_target() -> None:
    job = pb.Job(name="jobs/a", backfill=holding().spec)
    job.runs.add().biz_date.CopyFrom(holding().spec.biz_dates[0].start_biz_date)
    held = hold_of(job)
    assert held is not None
    assert held.days == ("20250205",)
    job.backfill.overlap = pb.OVERLAP_ALLOW
    assert hold_of(job) is None
    assert hold_of(pb.Job(name="jobs/a", adhoc=pb.ExecuteAdhocWorkflowInstanceSpec())) is None
