"""When a plan is expected: by the quota at first, and by its own pace then; and what an old worker is asked."""

from __future__ import annotations

import asyncio
from datetime import date

import grpc
import pytest

from headgate import pb
from headgate.backfill import dates
from headgate.backfill.plan_reads import PLAN, SURVEY_DATES
from headgate.reasons import Reason
from headgate.store import queue_entries
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.status import describe
from headgate_server.planning.plan_stream import left_seconds
from headgate_server.planning.remote_survey import SurveyPace
from tests.server.instance_rows import take_question
from tests.server.jobs.test_plan import actions, planner
from tests.server.scenarios.test_overlap import holding
from tests.server.world import World, fields_of, status_of


@pytest.mark.parametrize(
    ("done", "reused", "rate", "seconds", "left"),
    [
        (0, 0, 5.0, 0.0, 73.0),
        (9, 0, 5.0, 60.0, 71.2),
        (65, 0, 5.0, 26.0, 120.0),
        (265, 200, 5.0, 13.0, 20.0),
        (0, 0, 0.0, 0.0, None),
        (365, 0, 0.0, 9.0, 0.0),
    ],
)
def test_the_end_is_expected_by_the_quota_and_then_by_the_pace(
    done: int, reused: int, rate: float, seconds: float, left: float | None
) -> None:
    assert left_seconds(SurveyPace(365, done, reused), rate, seconds) == left


def asking(reprocess: pb.Reprocess.ValueType) -> pb.PlanLargeBackfillRequest:
    request = pb.PlanLargeBackfillRequest(spec=holding().spec)
    request.spec.reprocess = reprocess
    return request


async def test_where_nothing_is_looked_up_the_plan_comes_at_once(world: World) -> None:
    with planner(world) as worker:
        messages = [one async for one in world.backfills.PlanLargeBackfill(asking(pb.REPROCESS_ALL))]

    assert [one.WhichOneof("payload") for one in messages] == ["plan"] and len(worker.asked) == 1
    assert messages[0].plan.plan_token


async def test_a_worker_of_an_earlier_version_is_asked_for_the_plan_itself(world: World) -> None:
    unbuilt = describe(Refused(Reason.METHOD_UNBUILT, "this worker can't answer that")).SerializeToString()

    async def answer() -> list[str]:
        methods = []
        while PLAN not in methods:
            asked = await take_question(world.redis)
            methods.append(asked.method)
            plan = pb.BackfillPlan()
            for day in dates.walk(pb.PlanBackfillRequest.FromString(asked.request).spec.biz_dates):
                plan.slots.add(biz_date=dates.to_message(day), action=pb.PLAN_ACTION_CREATE)
            known = asked.method == PLAN
            reply = queue_entries.ReadReply(asked.id, known, plan.SerializeToString() if known else unbuilt)
            await world.redis.rpush(asked.reply_to, queue_entries.encode_reply(reply))  # type: ignore[misc]
        return methods

    worker = asyncio.create_task(answer())
    stream = world.backfills.PlanLargeBackfill(asking(pb.REPROCESS_MISSING_ONLY))
    messages = [one async for one in stream]

    assert await worker == [SURVEY_DATES, PLAN]
    assert messages[0].progress.dates_total == 2 and actions(messages[-1].plan) == [pb.PLAN_ACTION_CREATE] * 2


async def test_a_request_is_checked_as_that_of_the_plan(world: World) -> None:
    request = asking(pb.REPROCESS_MISSING_ONLY)
    request.spec.biz_dates[0].end_biz_date.CopyFrom(dates.to_message(date(2020, 1, 1)))
    request.max_staleness.FromSeconds(3_601)
    with pytest.raises(grpc.RpcError) as refused:
        _ = [one async for one in world.backfills.PlanLargeBackfill(request)]
    assert {field.partition("[")[0] for field in fields_of(status_of(refused.value))} >= {
        "spec.biz_dates",
        "max_staleness",
    }
