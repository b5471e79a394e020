"""Failed dates that are tried again, from end to end: worker and emulator over real HTTP, Redis in between."""

from __future__ import annotations

import signal
from datetime import date

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.job import event_log
from headgate_cli.dev.redis_server import RedisServer
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import FailRun
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker
from tests.worker.scenarios.test_backfill import ended, events_of
from tests.worker.scenarios.test_crash_matrix import killed_worker
from tests.worker.submitting import backfill_job, days, seed_backfill, submit

pytestmark = pytest.mark.slow

FIRST = "2025-02-05"


@pytest.fixture
def impatient(worker_settings: Settings) -> Settings:
    return worker_settings.model_copy(update={"date_retry_min_seconds": 0.2, "date_retry_max_seconds": 0.4})


def _fails(emulator: RunningEmulator, times: int) -> None:
    emulator.faults.add([FailRun(biz_date=date.fromisoformat(FIRST), count=times)])


def _one_date(tries: int) -> pb.BackfillSpec:
    spec = seed_backfill(biz_dates=days(FIRST, FIRST), max_attempts_per_date=tries)
    del spec.biz_dates[0]
    return spec


def _creates(emulator: RunningEmulator) -> int:
    return len([row for row in emulator.ledger.rows(action="CreateWorkflowInstances") if row.applied])


@pytest.mark.parametrize("on_failure", [pb.ON_FAILURE_HALT, pb.ON_FAILURE_CONTINUE, pb.ON_FAILURE_DRAIN])
async def test_a_date_that_fails_once_is_run_again_and_the_job_succeeds(
    on_failure: pb.OnFailure.ValueType,
    store: Store,
    redis: Redis,
    emulator: RunningEmulator,
    impatient: Settings,
    run_worker: RunWorker,
) -> None:
    """The emulator lets no child of a failed parent go, so the dates behind it need new instances, too."""
    _fails(emulator, 1)
    spec = seed_backfill(biz_dates=days(FIRST, "2025-02-08"), max_attempts_per_date=3, on_failure=on_failure)
    del spec.biz_dates[0]
    async with run_worker(impatient):
        job_id = await submit(store, backfill_job(spec))
        job = await ended(store, job_id)

    assert job.state == pb.JOB_STATE_SUCCEEDED, job
    assert [(run.attempt, run.retries, run.recalls) for run in job.runs] == [(2, 1, 0), *[(2, 0, 1)] * 3]
    events = await events_of(redis, job_id)
    assert event_log.replay(events) == job
    first = [run for event in events for run in event.runs if run.index == 0]
    ends = [(run.attempt, run.state) for run in first if run.state in (pb.RUN_STATE_FAILED, pb.RUN_STATE_SUCCEEDED)]
    assert list(dict.fromkeys(ends)) == [(1, pb.RUN_STATE_FAILED), (2, pb.RUN_STATE_SUCCEEDED)]
    assert len({run.workflow_instance_id for run in first if run.workflow_instance_id}) == 2
    started = [run.started_time.ToMilliseconds() for run in job.runs]
    assert started == sorted(started)
    assert _creates(emulator) == 2


async def test_a_date_that_keeps_failing_fails_its_job_after_its_last_try(
    store: Store, redis: Redis, emulator: RunningEmulator, impatient: Settings, run_worker: RunWorker
) -> None:
    _fails(emulator, 9)
    async with run_worker(impatient):
        job_id = await submit(store, backfill_job(_one_date(3)))
        job = await ended(store, job_id)

    assert job.state == pb.JOB_STATE_FAILED
    assert [(run.attempt, run.state) for run in job.runs] == [(3, pb.RUN_STATE_FAILED)]
    said = [event.message for event in await events_of(redis, job_id) if event.type == pb.EVENT_TYPE_RETRY_SCHEDULED]
    assert said == [f"{FIRST} is tried again, try {n} of 3" for n in (2, 3)]
    assert _creates(emulator) == 3


async def test_one_try_is_one_try(
    store: Store, emulator: RunningEmulator, impatient: Settings, run_worker: RunWorker
) -> None:
    _fails(emulator, 1)
    async with run_worker(impatient):
        job = await ended(store, await submit(store, backfill_job(seed_backfill(max_attempts_per_date=1))))

    assert job.state == pb.JOB_STATE_FAILED
    assert _creates(emulator) == 1


@pytest.mark.parametrize(
    "crash_at",
    [f"{point}:{n}" for point in ("committing", "committed") for n in (8, 12)]
    + [f"{point}:{n}" for point in ("intended", "answered") for n in (6, 8, 10)],
)
async def test_a_worker_killed_around_a_try_loses_and_doubles_nothing(
    crash_at: str,
    redis_server: RedisServer,
    redis: Redis,
    store: Store,
    emulator: RunningEmulator,
    impatient: Settings,
    run_worker: RunWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADGATE_DATE_RETRY_MIN_SECONDS", "0.2")
    _fails(emulator, 1)
    job_id = await submit(store, backfill_job(_one_date(2)))
    assert await killed_worker(impatient, crash_at) == -signal.SIGKILL
    died = await store.load(job_id)
    assert died is not None

    async with run_worker(impatient.model_copy(update={"settle_seconds": 0.5})):
        job = await ended(store, job_id)

    assert event_log.replay(await events_of(redis, job_id)) == job
    unsent = [op for op in died.operations if op.outcome == pb.OPERATION_OUTCOME_INTENDED]
    if unsent and _creates(emulator) < len(died.operations):
        assert job.state == pb.JOB_STATE_NEEDS_ATTENTION  # only a person can tell that it was never sent
        return
    assert job.state == pb.JOB_STATE_SUCCEEDED, job
    assert _creates(emulator) == 2
    assert [run.attempt for run in job.runs] == [2]
