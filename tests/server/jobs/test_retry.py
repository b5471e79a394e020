"""RetryJob: which dates run again, what is held meanwhile, and that a repeat does nothing twice."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.type.date_pb2 import Date

from headgate import pb
from headgate.backfill import date_retries, dates
from headgate.job import event_log, sizes
from headgate.store import keys
from headgate.store.date_claims import hold_of
from headgate_server.errors.exceptions import Refused
from headgate_server.jobs import retry as jobs_retry
from headgate_worker.core.model.calls import CreateInstances
from headgate_worker.core.model.steps import Act
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.planner import plan
from tests.server.world import DAY, World, backfill, fields_of, metadata_of, reason_of, status_of

NOW_MS = 1_739_019_600_000


async def ended(world: World, *states: pb.RunState.ValueType, hold: bool = False, **given: Any) -> pb.Job:
    """A backfill of two dates that has FAILED, with its runs in these states."""
    request = backfill(**given)
    request.spec.overlap = pb.OVERLAP_REJECT if hold else pb.OVERLAP_ALLOW
    job = await world.backfills.CreateBackfill(request)
    job_id = keys.job_id(job.name)
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)
    row = pb.UpstreamOperation(
        action="CreateWorkflowInstances",
        marker="seed",
        outcome=pb.OPERATION_OUTCOME_CONFIRMED,
        biz_dates=job.backfill.biz_dates,
        workflow_instance_ids=[11, 12],
    )
    runs = [
        pb.InstanceRun(
            index=n, biz_date=run.biz_date, state=state, attempt=1, operation_index=0, workflow_instance_id=11 + n
        )
        for n, (run, state) in enumerate(zip(job.runs, states, strict=True))
    ]
    await world.worker.append(job_id, pb.JobEvent(type=pb.EVENT_TYPE_RUN_CHANGED, runs=runs, operations=[row]))
    job = await world.worker.move(job_id, pb.JOB_STATE_FAILED)
    if (held := hold_of(job)) is not None:
        await world.redis.delete(held.key)  # as the commit of a worker does
    return job


async def retry(world: World, job: pb.Job, **given: Any) -> pb.Job:
    found: pb.Job = await world.jobs.RetryJob(pb.RetryJobRequest(name=job.name, **given))
    return found


def states(job: pb.Job) -> list[str]:
    return [pb.RunState.Name(run.state).removeprefix("RUN_STATE_") for run in job.runs]


def test_a_date_that_is_left_alone_runs_again_only_if_it_is_named() -> None:
    alone = pb.InstanceRun(index=0, biz_date=dates.to_message(DAY), state=pb.RUN_STATE_SKIPPED, attempt=1)
    alone.error.code = grpc.StatusCode.ALREADY_EXISTS.value[0]
    job = pb.Job(name="jobs/x", state=pb.JOB_STATE_SUCCEEDED, backfill=pb.BackfillSpec(), runs=[alone])

    with pytest.raises(Refused, match="no date that did not succeed"):
        jobs_retry.retry(job, pb.RetryJobRequest(), "me", NOW_MS)
    event = jobs_retry.retry(job, pb.RetryJobRequest(biz_dates=[alone.biz_date]), "me", NOW_MS)
    assert [run.state for run in event.runs] == [pb.RUN_STATE_PLANNED]


async def test_what_did_not_succeed_runs_again_as_a_new_attempt(world: World) -> None:
    before = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED)

    job = await retry(world, before)

    assert job.state == pb.JOB_STATE_RUNNING
    assert not job.HasField("end_time") and not job.HasField("expire_time")
    assert states(job) == ["SUCCEEDED", "PLANNED"]
    again = pb.InstanceRun(
        index=1, biz_date=before.runs[1].biz_date, state=pb.RUN_STATE_PLANNED, attempt=2, operation_index=-1
    )
    assert job.runs[1] == again
    assert (job.counts.succeeded, job.counts.waiting) == (1, 1)
    raw: list[bytes] = await world.redis.lrange(keys.log(keys.job_id(job.name)), 0, -1)  # type: ignore[misc]
    events = [pb.JobEvent.FromString(event) for event in raw]
    assert events[-1].type == pb.EVENT_TYPE_RETRY_REQUESTED
    assert event_log.replay(events) == job
    assert await world.redis.zscore(keys.EXPIRING, keys.job_id(job.name)) is None
    assert await world.redis.zscore(keys.DUE, keys.job_id(job.name)) is not None


@pytest.mark.parametrize("by", pb.StoppedBy.values())
def test_a_date_that_was_stopped_runs_again_by_any_stopper(by: pb.StoppedBy.ValueType) -> None:
    runs = [
        pb.InstanceRun(index=n, biz_date=dates.to_message(DAY), state=pb.RUN_STATE_STOPPED, attempt=1) for n in range(2)
    ]
    runs[0].stopped_by, runs[0].stopped_by_job, runs[0].workflow_instance_id = by, "jobs/other", 11
    runs[1].state, runs[1].biz_date.day = pb.RUN_STATE_SUCCEEDED, runs[1].biz_date.day + 1
    job = pb.Job(name="jobs/x", state=pb.JOB_STATE_FAILED, backfill=backfill().spec, runs=runs)

    event = jobs_retry.retry(job, pb.RetryJobRequest(), "me", NOW_MS)
    assert [(run.index, run.stopped_by, run.stopped_by_job) for run in event.runs] == [(0, 0, "")]
    step = plan(View(event_log.fold(job, event), Hints(), NOW_MS))
    assert isinstance(step, Act) and isinstance(step.call, CreateInstances)


async def test_a_worker_creates_the_retried_date_and_no_other(world: World) -> None:
    job = await retry(world, await ended(world, pb.RUN_STATE_FAILED, pb.RUN_STATE_FAILED), biz_dates=[day(1)])

    step = plan(View(job, Hints(), NOW_MS))

    assert isinstance(step, Act) and isinstance(step.call, CreateInstances), "the old failure must not halt it"
    (operation,) = step.drafts[0].operations
    assert operation.index == 1
    assert list(dates.walk(operation.biz_dates)) == [dates.from_message(day(1))]


def day(number: int) -> Any:
    return dates.to_message(DAY.replace(day=DAY.day + number))


async def test_a_cancelled_job_that_is_retried_is_not_cancelled_any_more(world: World) -> None:
    job_id = await world.submit()
    await world.jobs.CancelJob(pb.CancelJobRequest(name=keys.job_name(job_id)))
    before = await world.worker.move(job_id, pb.JOB_STATE_CANCELLED)

    job = await retry(world, before)

    assert job.state == pb.JOB_STATE_RUNNING
    assert not job.HasField("cancel")


async def test_a_repeat_with_the_same_request_id_does_nothing_twice(world: World) -> None:
    before = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED)

    answers = await asyncio.gather(*(retry(world, before, request_id="again") for _ in range(10)))
    later = await retry(world, before, request_id="again")

    assert {job.revision for job in (*answers, later)} == {before.revision + 1}
    with pytest.raises(grpc.RpcError) as caught:
        await retry(world, before, request_id="again", biz_dates=[day(0)])
    assert reason_of(caught.value) == "REQUEST_ID_REUSED"


async def test_retried_dates_are_held_again_and_no_others(world: World) -> None:
    before = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED, hold=True)
    job = await retry(world, before)
    request = backfill()
    request.spec.overlap = pb.OVERLAP_REJECT

    with pytest.raises(grpc.RpcError) as caught:
        await world.backfills.CreateBackfill(request)
    assert reason_of(caught.value) == "BACKFILL_OVERLAP"
    assert metadata_of(caught.value) == {"job": job.name, "dates": "1"}


async def test_a_retry_is_refused_while_another_backfill_runs_the_date(world: World) -> None:
    before = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED, hold=True)
    request = backfill()
    request.spec.overlap = pb.OVERLAP_REJECT
    await world.backfills.CreateBackfill(request)

    with pytest.raises(grpc.RpcError) as caught:
        await retry(world, before)

    assert reason_of(caught.value) == "BACKFILL_OVERLAP"
    assert (await world.worker.load(keys.job_id(before.name))) == before


async def test_a_date_that_is_not_the_jobs_is_refused(world: World) -> None:
    before = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED)

    for wrong in (day(9), Date(year=2025, month=2, day=30), Date(year=2025)):
        with pytest.raises(grpc.RpcError) as caught:
            await retry(world, before, biz_dates=[wrong])
        assert fields_of(status_of(caught.value)) == {"biz_dates[0]"}


def backfill_job(**members: Any) -> pb.Job:
    return pb.Job(name="jobs/x", state=pb.JOB_STATE_FAILED, backfill=pb.BackfillSpec(), revision=3, **members)


@pytest.mark.parametrize(
    ("job", "why"),
    [
        (pb.Job(name="jobs/x", state=pb.JOB_STATE_FAILED, start=pb.StartWorkflowInstancesSpec()), "is no backfill"),
        (pb.Job(name="jobs/x", state=pb.JOB_STATE_RUNNING, backfill=pb.BackfillSpec()), "has not ended"),
        (backfill_job(), "no date that did not succeed"),
        (backfill_job(operations=[pb.UpstreamOperation()] * date_retries.MOST_OPERATIONS), "no room for more"),
        (backfill_job(cancel=pb.CancelRecord(reason="x" * sizes.NO_RETRY_BYTES)), "no room for more"),
    ],
)
def test_what_cannot_be_retried_says_why(job: pb.Job, why: str) -> None:
    with pytest.raises(Refused, match=why):
        jobs_retry.retry(job, pb.RetryJobRequest(), "me", NOW_MS)


async def test_a_retry_brings_a_new_deadline(world: World) -> None:
    before = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED)

    job = await retry(world, before, deadline=Duration(seconds=3_600))

    assert 0 < job.deadline_time.ToMilliseconds() - job.update_time.ToMilliseconds() <= 3_600_000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await retry(world, before, deadline=Duration(seconds=0))
    assert fields_of(status_of(caught.value)) == {"deadline"}


def test_a_job_past_its_deadline_has_seven_days_again() -> None:
    failed = pb.InstanceRun(biz_date=day(0), state=pb.RUN_STATE_FAILED, attempt=1)
    job = backfill_job(runs=[failed])
    job.deadline_time.FromMilliseconds(NOW_MS)

    event = jobs_retry.retry(job, pb.RetryJobRequest(), "me", NOW_MS)
    assert event.deadline_time.ToMilliseconds() == NOW_MS + 7 * 24 * 3_600_000


def test_each_retry_has_a_number_above_all_attempts() -> None:
    run = pb.InstanceRun(biz_date=day(0), state=pb.RUN_STATE_FAILED, attempt=1)
    other = pb.InstanceRun(index=1, biz_date=day(1), state=pb.RUN_STATE_FAILED, attempt=4)

    event = jobs_retry.retry(backfill_job(runs=[run, other]), pb.RetryJobRequest(biz_dates=[day(0)]), "me", NOW_MS)

    assert [(row.index, row.attempt) for row in event.runs] == [(0, 5)]
