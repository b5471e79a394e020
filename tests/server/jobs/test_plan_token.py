"""A submit that insists on a plan: it commits if, and only if, what would happen is still what was planned."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import PreconditionFailure
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.backfill import dates
from headgate.store import keys
from headgate_server.jobs import plan_token
from headgate_server.jobs.plan import differing
from headgate_server.jobs.plan_token import BadPlanToken, PlanToken
from tests.server.jobs.test_plan import CREATE, EXISTS, SECOND, planner
from tests.server.scenarios.test_overlap import holding
from tests.server.world import DAY, World, detail, fields_of, metadata_of, reason_of, serving, status_of

DAY_SECONDS = 24 * 3600
tokens = st.builds(
    PlanToken,
    st.integers(0, 2**60),
    st.binary(min_size=16, max_size=16),
    st.lists(st.integers(0, 7), max_size=1100).map(tuple),
)


@given(tokens)
def test_a_token_says_what_it_was_made_of_and_stays_short(token: PlanToken) -> None:
    text = plan_token.encode(token)

    assert plan_token.decode(text) == token
    assert len(text) <= 1_000


@given(tokens, st.integers(0, 2_000), st.sampled_from("AZaz09-_=!\n"))
def test_a_token_that_was_changed_or_cut_is_none(token: PlanToken, at: int, other: str) -> None:
    text = plan_token.encode(token)
    at %= len(text)
    for bad in (text[:at], text[:at] + other + text[at + 1 :], text + other):
        assert _decoded(bad) in (None, token)  # the last character has bits that nobody reads


def _decoded(text: str) -> PlanToken | None:
    try:
        return plan_token.decode(text)
    except BadPlanToken:
        return None


@given(st.text(max_size=200))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(BadPlanToken):
        plan_token.decode(text)


async def plan_of(world: World, request: pb.CreateBackfillRequest) -> pb.BackfillPlan:
    asking = pb.PlanBackfillRequest(spec=request.spec, connection=request.connection)
    plan: pb.BackfillPlan = await world.backfills.PlanBackfill(asking)
    request.plan_token = plan.plan_token
    return plan


def missing_only(**given: Any) -> pb.CreateBackfillRequest:
    request = holding(**given)
    request.spec.reprocess = pb.REPROCESS_MISSING_ONLY
    return request


async def refusal(world: World, request: pb.CreateBackfillRequest) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(request)
    assert await world.redis.zcard(keys.JOBS) == 0
    return caught.value


async def test_a_plan_that_still_holds_is_committed(world: World) -> None:
    request = missing_only()
    with planner(world) as worker:
        worker.exists[SECOND] = 12
        plan = await plan_of(world, request)
        job = await world.backfills.CreateBackfill(request)

    assert job.state == pb.JOB_STATE_QUEUED
    seconds, _ = await world.redis.time()
    assert abs(plan.expire_time.seconds - int(seconds) - DAY_SECONDS) < 60


async def test_what_has_changed_is_named_date_by_date(world: World) -> None:
    request = missing_only()
    with planner(world) as worker:
        await plan_of(world, request)
        worker.exists[SECOND] = 12
        error = await refusal(world, request)

    assert error.code() is grpc.StatusCode.ABORTED
    assert reason_of(error) == "PLAN_CHANGED"
    assert metadata_of(error) == {"dates": "1", "first": "2025-02-06"}
    violation = detail(status_of(error), PreconditionFailure).violations[0]
    assert violation.subject == "2025-02-06"
    assert violation.description.startswith("planned CREATE; now SKIP_EXISTS: instance 12")


CHANGES = {
    "an instance appears": ({}, {DAY: 1}),
    "an instance is removed": ({DAY: 1}, {}),
    "one goes, another comes": ({DAY: 1}, {SECOND: 2}),
    "all exist": ({}, {DAY: 1, SECOND: 2}),
    "all are gone": ({DAY: 1, SECOND: 2}, {}),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
async def test_any_change_of_a_date_aborts(world: World, before: dict[date, int], after: dict[date, int]) -> None:
    request = missing_only()
    with planner(world) as worker:
        worker.exists = dict(before)
        await plan_of(world, request)
        worker.exists = dict(after)
        error = await refusal(world, request)
        worker.exists = dict(before)
        assert (await world.backfills.CreateBackfill(request)).name

    assert reason_of(error) == "PLAN_CHANGED"
    assert metadata_of(error)["dates"] == str(len(before.keys() ^ after.keys()))


async def test_another_instance_for_the_same_reason_is_the_same_plan(world: World) -> None:
    request = missing_only()
    with planner(world) as worker:
        worker.exists[DAY] = 1
        await plan_of(world, request)
        worker.exists[DAY] = 2
        assert (await world.backfills.CreateBackfill(request)).name


async def test_a_date_that_another_backfill_takes_aborts(world: World) -> None:
    request = holding()
    with planner(world):
        await plan_of(world, request)
        other = await world.backfills.CreateBackfill(holding())
        with pytest.raises(grpc.RpcError) as caught:
            await world.backfills.CreateBackfill(request)

    assert reason_of(caught.value) == "PLAN_CHANGED"
    violations = detail(status_of(caught.value), PreconditionFailure).violations
    assert [violation.description for violation in violations] == [
        f"planned CREATE; now CONFLICT: {other.name} runs it"
    ] * 2


async def test_a_plan_of_conflicts_that_still_holds_is_refused_for_the_conflict(world: World) -> None:
    request = holding()
    with planner(world):
        await world.backfills.CreateBackfill(holding())
        await plan_of(world, request)
        with pytest.raises(grpc.RpcError) as caught:
            await world.backfills.CreateBackfill(request)

    assert reason_of(caught.value) == "BACKFILL_OVERLAP"


def _another_name(request: pb.CreateBackfillRequest) -> None:
    request.spec.name = "other"


def _one_date_less(request: pb.CreateBackfillRequest) -> None:
    del request.spec.biz_dates[1:]


def _another_policy(request: pb.CreateBackfillRequest) -> None:
    request.spec.reprocess = pb.REPROCESS_MISSING_AND_FAILED


def _another_width(request: pb.CreateBackfillRequest) -> None:
    request.spec.default_run_properties.parallelism = 2


def _another_connection(request: pb.CreateBackfillRequest) -> None:
    request.connection = "mars"


@pytest.mark.parametrize(
    "change", [_another_name, _one_date_less, _another_policy, _another_width, _another_connection]
)
async def test_a_token_is_of_one_backfill(world: World, change: Any) -> None:
    request = missing_only()
    with planner(world) as worker:
        await plan_of(world, request)
        change(request)
        error = await refusal(world, request)

    assert reason_of(error) == "PLAN_CHANGED"
    assert len(worker.asked) == 1


async def test_what_is_no_token_names_the_field(world: World) -> None:
    error = await refusal(world, holding(plan_token="nonsense"))

    assert reason_of(error) == "FIELD_INVALID"
    assert fields_of(status_of(error)) == {"plan_token"}


async def test_an_old_token_has_expired(world: World) -> None:
    seconds, _ = await world.redis.time()
    request = holding()
    past = PlanToken(int(seconds) * 1_000 - 1, plan_token.digest_of(request.spec, ""), (CREATE, CREATE))
    request.plan_token = plan_token.encode(past)

    error = await refusal(world, request)

    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "PLAN_EXPIRED")


async def test_a_repeat_of_the_submit_is_the_same_job_although_its_dates_are_held(world: World) -> None:
    request = holding(request_id="again")
    with planner(world):
        await plan_of(world, request)
        first = await world.backfills.CreateBackfill(request)
        second = await world.backfills.CreateBackfill(request)

    assert first.name == second.name


async def test_validate_only_compares_and_records_nothing(world: World) -> None:
    request = missing_only(validate_only=True)
    with planner(world) as worker:
        await plan_of(world, request)
        await world.backfills.CreateBackfill(request)
        worker.exists[DAY] = 1
        error = await refusal(world, request)

    assert reason_of(error) == "PLAN_CHANGED"


async def test_run_job_keeps_to_a_plan_too(world: World) -> None:
    request = missing_only()
    with planner(world) as worker:
        await plan_of(world, request)
        worker.exists[DAY] = 1
        with pytest.raises(grpc.RpcError) as caught:
            await world.jobs.RunJob(pb.RunJobRequest(backfill=request)).read()

    assert reason_of(caught.value) == "PLAN_CHANGED"


async def test_without_a_worker_nothing_is_compared_and_nothing_recorded(redis_url: str) -> None:
    async with serving(redis_url, read_timeout=0.3) as world:
        request = holding()
        request.plan_token = plan_token.encode(
            plan_token.token_of(request.spec, "", [pb.PlanSlot(action=CREATE)] * 2, now_ms=2**42)
        )
        error = await refusal(world, request)
    assert reason_of(error) == "WORKER_UNAVAILABLE"


some_actions = st.lists(st.sampled_from([CREATE, EXISTS]), min_size=1, max_size=40)


@given(some_actions, st.data())
def test_a_plan_is_kept_exactly_if_no_action_differs(planned: list[int], data: st.DataObject) -> None:
    now = data.draw(st.lists(st.sampled_from([CREATE, EXISTS]), min_size=len(planned), max_size=len(planned)))
    slots = [
        pb.PlanSlot(biz_date=dates.to_message(DAY + timedelta(days=n)), action=pb.PlanAction.ValueType(action))
        for n, action in enumerate(now)
    ]

    found = differing(PlanToken(0, b"", tuple(planned)), slots)

    assert (not found) is (planned == now)
    assert [slot.biz_date.day for _, slot in found] == [
        (DAY + timedelta(days=n)).day for n, (a, b) in enumerate(zip(planned, now, strict=True)) if a != b
    ]
