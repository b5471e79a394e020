"""PlanBackfill on the reads lane: what dates have upstream, which creates would go out, what it all takes."""

from __future__ import annotations

from typing import Any

import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.store import keys
from headgate.store.date_claims import target
from headgate_emulator.app import RunningEmulator
from headgate_worker.core.model.view import Policy
from headgate_worker.process.settings import Settings
from headgate_worker.reads.plan import MOST_BYTES, planned
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker
from tests.worker.reads.conftest import read, reason
from tests.worker.scenarios.test_backfill import ended
from tests.worker.submitting import backfill_job, days, seed_backfill, submit

pytestmark = pytest.mark.slow


def _wider(policy: pb.Reprocess.ValueType) -> pb.BackfillSpec:
    spec = seed_backfill(reprocess=policy)
    del spec.biz_dates[:]
    spec.biz_dates.extend(days("2025-02-04", "2025-02-07"))
    return spec


async def _plan(redis: Redis, spec: pb.BackfillSpec) -> pb.BackfillPlan:
    reply = await read(redis, "PlanBackfill", pb.PlanBackfillRequest(spec=spec))
    assert reply.ok, reply
    return pb.BackfillPlan.FromString(reply.payload)


def _actions(plan: pb.BackfillPlan) -> list[str]:
    return [pb.PlanAction.Name(slot.action).removeprefix("PLAN_ACTION_") for slot in plan.slots]


async def test_a_plan_looks_up_what_exists_and_sends_nothing(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        await ended(store, await submit(store, backfill_job(seed_backfill())))
        asked_before = len(list(emulator.ledger.rows()))
        plan = await _plan(redis, _wider(pb.REPROCESS_MISSING_ONLY))
        asked = list(emulator.ledger.rows())[asked_before:]

    assert [row.action for row in asked] == ["ListWorkflowInstances"] * 4
    assert _actions(plan) == ["CREATE", "SKIP_EXISTS", "SKIP_EXISTS", "CREATE"]
    assert [(slot.existing_id, slot.existing_status) for slot in plan.slots[1:3]] == [
        (1000341554601, "Success"),
        (1000341554605, "Success"),
    ]
    assert [list(dates.walk(call.periods.biz_dates)) for call in plan.upstream_calls] == [
        [dates.from_message(plan.slots[0].biz_date), dates.from_message(plan.slots[3].biz_date)]
    ]
    assert 300 <= plan.slots[0].expected_duration.ToMilliseconds() <= 1_500
    assert plan.expected_upstream_reads > 4 and plan.expected_upstream_writes == 2
    assert plan.HasField("expected_makespan") and not plan.warnings


async def test_what_is_planned_is_what_is_sent(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    spec = _wider(pb.REPROCESS_MISSING_AND_FAILED)
    async with run_worker(worker_settings):
        await ended(store, await submit(store, backfill_job(seed_backfill())))
        plan = await _plan(redis, spec)
        job = await ended(store, await submit(store, backfill_job(spec)))

    assert job.state == pb.JOB_STATE_SUCCEEDED
    left = [run.state == pb.RUN_STATE_SKIPPED for run in job.runs]
    assert left == [slot.action == pb.PLAN_ACTION_SKIP_EXISTS for slot in plan.slots]
    assert [list(op.biz_dates) for op in job.operations] == [list(c.periods.biz_dates) for c in plan.upstream_calls]


async def test_all_asks_nothing_of_upstream_and_knows_durations_from_earlier_backfills(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        fresh = await _plan(redis, _wider(pb.REPROCESS_ALL))
        assert list(emulator.ledger.rows()) == []
        await ended(store, await submit(store, backfill_job(seed_backfill())))
        known = await _plan(redis, _wider(pb.REPROCESS_ALL))
        elsewhere = await read(redis, "PlanBackfill", pb.PlanBackfillRequest(spec=seed_backfill(), connection="mars"))

    assert _actions(fresh) == ["CREATE"] * 4
    assert not fresh.HasField("expected_makespan")
    assert _reason(fresh.warnings[0]) == "FORECAST_UNCERTAIN"
    assert 300 <= known.slots[0].expected_duration.ToMilliseconds() <= 1_500
    assert await redis.pttl(keys.durations(target("", seed_backfill()))) > 0
    assert reason(elsewhere) == "CONNECTION_UNKNOWN"


def _reason(status: Any) -> str:
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)


def test_long_creates_are_told_once() -> None:
    spec = seed_backfill(task_parameters="x" * 60_000, max_created_ahead=1)
    del spec.biz_dates[:]
    spec.biz_dates.extend(days("2024-01-01", "2024-12-31"))
    slots = [pb.PlanSlot(biz_date=dates.to_message(day), action=pb.PLAN_ACTION_CREATE) for day in dates.chosen(spec)]

    plan = planned(spec, slots, 1_000, 0, Policy())

    assert len(plan.upstream_calls) == 366
    assert plan.upstream_calls[0].task_parameters and not plan.upstream_calls[1].task_parameters
    assert plan.upstream_calls[1].name == spec.name and plan.upstream_calls[1].periods.biz_dates
    assert plan.ByteSize() < MOST_BYTES
