"""PlanBackfill: what a worker says of the dates, put beside other backfills."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo

from headgate import pb
from headgate.backfill import dates
from headgate.backfill.plan_reads import SURVEY_DATES
from headgate.store import keys, queue_entries
from headgate_server.jobs.plan import with_conflicts, with_quota
from tests.server.instance_rows import take_question
from tests.server.scenarios.test_overlap import holding
from tests.server.world import DAY, World, detail, fields_of, reason_of, serving, status_of

CREATE, EXISTS = pb.PLAN_ACTION_CREATE, pb.PLAN_ACTION_SKIP_EXISTS
IN_FLIGHT, CONFLICT = pb.PLAN_ACTION_SKIP_IN_FLIGHT, pb.PLAN_ACTION_CONFLICT
SECOND = date(2025, 2, 6)


class Planner:
    """Answers plans as a worker does, large ones too; `exists` are the dates that are left alone."""

    def __init__(self, world: World) -> None:
        self._redis = world.redis
        self.exists: dict[date, int] = {}
        self.asked: list[pb.PlanBackfillRequest] = []

    async def run(self) -> None:
        while True:
            asked = await take_question(self._redis, seconds=60)
            request = pb.PlanBackfillRequest.FromString(asked.request)
            self.asked.append(request)
            plan = self._plan(request)
            made: Message = plan
            if asked.method == SURVEY_DATES:
                made = pb.PlanProgress(dates_done=len(plan.slots), upstream_reads=len(plan.slots))
            answer = queue_entries.ReadReply(asked.id, True, made.SerializeToString())
            await self._redis.rpush(asked.reply_to, queue_entries.encode_reply(answer))  # type: ignore[misc]

    def _plan(self, request: pb.PlanBackfillRequest) -> pb.BackfillPlan:
        plan = pb.BackfillPlan(expected_upstream_reads=9, upstream_calls=[pb.CreateWorkflowInstancesSpec(name="seed")])
        for day in dates.walk(request.spec.biz_dates):
            id_ = self.exists.get(day, 0)
            action = EXISTS if id_ else CREATE
            plan.slots.add(biz_date=dates.to_message(day), action=action, existing_id=id_)
        return plan


@contextmanager
def planner(world: World) -> Iterator[Planner]:
    """A planner beside the test."""
    made = Planner(world)
    task = asyncio.get_running_loop().create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()


def asking(**given: Any) -> pb.PlanBackfillRequest:
    return pb.PlanBackfillRequest(spec=holding().spec, **given)


def actions(plan: pb.BackfillPlan) -> list[int]:
    return [slot.action for slot in plan.slots]


async def test_a_plan_is_a_workers_word_and_records_nothing(world: World) -> None:
    with planner(world) as worker:
        worker.exists[SECOND] = 12
        plan = await world.backfills.PlanBackfill(asking())

    assert actions(plan) == [CREATE, EXISTS]
    assert plan.slots[1].existing_id == 12
    assert plan.expected_upstream_reads == 9
    assert await world.redis.zcard(keys.JOBS) == 0


async def test_a_worker_is_told_the_dates_in_the_fewest_ranges(world: World) -> None:
    request = asking()
    request.spec.biz_dates.extend(list(request.spec.biz_dates) * 3)
    request.spec.exclude_biz_dates.append(dates.to_message(SECOND))
    with planner(world) as worker:
        await world.backfills.PlanBackfill(request)

    told = worker.asked[0].spec
    assert list(dates.walk(told.biz_dates)) == [DAY] and len(told.biz_dates) == 1
    assert not told.exclude_biz_dates


async def test_dates_of_another_backfill_are_conflicts_and_nothing_would_be_sent(world: World) -> None:
    first = await world.backfills.CreateBackfill(holding())
    with planner(world):
        plan = await world.backfills.PlanBackfill(asking())
        allowed = asking()
        allowed.spec.overlap = pb.OVERLAP_ALLOW
        beside_it = await world.backfills.PlanBackfill(allowed)

    assert actions(plan) == [CONFLICT, CONFLICT]
    assert {slot.existing_job for slot in plan.slots} == {first.name}
    assert not plan.upstream_calls and plan.expected_upstream_reads == 0
    assert detail(plan.warnings[0], ErrorInfo).reason == "BACKFILL_OVERLAP"
    assert actions(beside_it) == [CREATE, CREATE]


async def test_the_dates_of_a_job_that_is_gone_are_free(world: World) -> None:
    first = await world.backfills.CreateBackfill(holding())
    await world.redis.delete(keys.job(keys.job_id(first.name)))
    with planner(world):
        assert actions(await world.backfills.PlanBackfill(asking())) == [CREATE, CREATE]


async def test_a_plan_obeys_the_rules_of_a_backfill(world: World) -> None:
    request = asking()
    request.spec.name = ""
    request.spec.biz_dates[0].end_biz_date.day = 30

    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.PlanBackfill(request)

    assert fields_of(status_of(caught.value)) >= {"spec.name", "spec.biz_dates[0].end_biz_date"}


async def test_without_a_worker_a_plan_says_so(redis_url: str) -> None:
    async with serving(redis_url, read_timeout=0.2) as world:
        with pytest.raises(grpc.RpcError) as caught:
            await world.backfills.PlanBackfill(asking())
    assert reason_of(caught.value) == "WORKER_UNAVAILABLE"


def _plan() -> pb.BackfillPlan:
    slots = [pb.PlanSlot(biz_date=dates.to_message(day), action=CREATE) for day in (DAY, SECOND)]
    return pb.BackfillPlan(slots=slots, upstream_calls=[pb.CreateWorkflowInstancesSpec()])


@pytest.mark.parametrize(
    ("overlap", "held", "wanted", "sent"),
    [
        (pb.OVERLAP_UNSPECIFIED, {}, [CREATE, CREATE], True),
        (pb.OVERLAP_UNSPECIFIED, {"20250206": "a"}, [CREATE, CONFLICT], False),
        (pb.OVERLAP_REJECT, {"20250205": "a", "20250206": "b"}, [CONFLICT, CONFLICT], False),
        (pb.OVERLAP_JOIN, {"20250205": "a", "20250206": "a"}, [IN_FLIGHT, IN_FLIGHT], False),
        (pb.OVERLAP_JOIN, {"20250205": "a", "20250206": "b"}, [CONFLICT, CONFLICT], False),
        (pb.OVERLAP_JOIN, {"20250205": "a"}, [CONFLICT, CREATE], False),
        (pb.OVERLAP_QUEUE_AFTER, {"20250205": "a"}, [CREATE, CREATE], True),
        (pb.OVERLAP_REJECT, {"20990101": "a"}, [CREATE, CREATE], True),
    ],
)
def test_the_overlap_policy_says_what_becomes_of_held_dates(
    overlap: pb.Overlap.ValueType, held: Mapping[str, str], wanted: list[int], sent: bool
) -> None:
    plan = with_conflicts(_plan(), overlap, held)

    assert actions(plan) == wanted
    assert bool(plan.upstream_calls) is sent


def test_where_no_date_is_held_none_is_looked_at() -> None:
    plan = pb.BackfillPlan(slots=[pb.PlanSlot()])  # a slot whose date can't be read

    assert with_conflicts(plan, pb.OVERLAP_REJECT, {}) is plan


NOON = 1_739_073_600_000  # 2025-02-09, noon in Asia/Shanghai
MIDNIGHT = NOON + 12 * 3_600_000


def _bucket(metric: str, limit: int, used: int) -> pb.QuotaBucket:
    bucket = pb.QuotaBucket(metric=metric, daily_limit=limit, daily_used=used)
    bucket.daily_reset_time.FromMilliseconds(MIDNIGHT)
    return bucket


@pytest.mark.parametrize(
    ("need", "used", "day"),
    [(60, 40, ""), (61, 40, "2025-02-10"), (160, 40, "2025-02-10"), (161, 40, "2025-02-11"), (1, 120, "2025-02-10")],
)
def test_a_daily_allowance_that_does_not_last_is_told_with_the_day_of_the_end(need: int, used: int, day: str) -> None:
    plan = pb.BackfillPlan(expected_upstream_reads=need - 1, expected_upstream_writes=1)

    told = with_quota(
        plan, pb.Quota(edition="basic", buckets=[_bucket("total", 100, used), pb.QuotaBucket(metric="read")])
    )

    assert told.quota_now.edition == "basic"
    assert bool(told.warnings) is bool(day)
    if day:
        assert detail(told.warnings[0], ErrorInfo).reason == "QUOTA_SHORT"
        assert f"needs about {need:,} calls" in told.warnings[0].message
        assert told.warnings[0].message.endswith(f"before {day}")


def test_reads_and_writes_have_allowances_of_their_own() -> None:
    plan = pb.BackfillPlan(expected_upstream_reads=50, expected_upstream_writes=5)

    told = with_quota(plan, pb.Quota(buckets=[_bucket("read", 100, 0), _bucket("write", 4, 0)]))

    assert [warning.message.split(" and ")[0] for warning in told.warnings] == ["needs about 5 write calls"]


def test_without_a_quota_nothing_is_said_of_it() -> None:
    assert not with_quota(pb.BackfillPlan(expected_upstream_reads=10**6), None).HasField("quota_now")
