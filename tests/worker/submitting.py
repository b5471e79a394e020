"""Submitting jobs to a store without a server in between, for tests of the worker."""

from __future__ import annotations

import secrets
from datetime import date
from typing import Any

from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.job.event_log import fold
from headgate.store import keys, queue_entries
from headgate.store.commit import Commit, Committed, Stale, Wake
from headgate.store.date_claims import Hold, hold_of, hold_of_new
from headgate_worker.core.model.steps import apply, timestamp
from headgate_worker.store.jobs import Store

SEED_ROOT_TASK = 1023697426
SEED_PROJECT = 257880


def seed_backfill(**fields: object) -> pb.BackfillSpec:
    """The backfill of seed 000."""
    spec = pb.BackfillSpec(
        project_id=SEED_PROJECT,
        env_type=pb.ENV_TYPE_PROD,
        workflow_id=5188541262300189362,
        name="devinTestSparkSQL20run1",
        overlap=pb.OVERLAP_ALLOW,  # tests run many of the same dates
        biz_dates=days("2025-02-05", "2025-02-06"),
        default_run_properties=pb.DefaultRunProperties(
            mode=pb.BACKFILL_MODE_ALL_DOWNSTREAM,
            parallelism=1,
            root_task_ids=[SEED_ROOT_TASK],
            analysis=pb.Analysis(),
        ),
    )
    spec.MergeFrom(pb.BackfillSpec(**fields))  # type: ignore[arg-type]
    return spec


def days(first: str, last: str) -> list[pb.DateRange]:
    """One range of dates, both ends included."""
    ends = [dates.to_message(date.fromisoformat(day)) for day in (first, last)]
    return [pb.DateRange(start_biz_date=ends[0], end_biz_date=ends[1])]


def backfill_job(spec: pb.BackfillSpec, **fields: object) -> pb.Job:
    """The job that a backfill is accepted as."""
    runs = [
        pb.InstanceRun(
            index=i, biz_date=dates.to_message(day), state=pb.RUN_STATE_PLANNED, attempt=1, operation_index=-1
        )
        for i, day in enumerate(dates.chosen(spec))
    ]
    return new_job(backfill=spec, runs=runs, until=pb.UNTIL_FINISHED, **fields)


def new_job(**fields: object) -> pb.Job:
    """A job as it is accepted, with an id of its own."""
    job = pb.Job(
        name=f"jobs/t-{secrets.token_hex(5)}",
        uid=secrets.token_hex(8),
        state=pb.JOB_STATE_QUEUED,
        until=pb.UNTIL_FINISHED,
    )
    job.ttl_after_end.FromSeconds(3600)
    job.MergeFrom(pb.Job(**fields))  # type: ignore[arg-type]
    return job


def hold_of_submitted(job: pb.Job) -> Hold | None:
    """What a job takes, joins or waits for when it is submitted."""
    if job.WhichOneof("spec") != "backfill":
        return None
    return hold_of_new(job.connection, job.backfill, [dates.from_message(run.biz_date) for run in job.runs])


async def submit(store: Store, job: pb.Job) -> str:
    """Put a job into the store as a server would; its id."""
    now_ms = await store.now_ms()
    event = pb.JobEvent(
        revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=job.state, job=job, event_time=timestamp(now_ms), actor="test"
    )
    accepted = fold(None, event)
    event.job.CopyFrom(accepted)
    job_id = keys.job_id(job.name)
    change = Commit(
        before=pb.JOB_STATE_UNSPECIFIED,
        job=accepted,
        expected_revision=0,
        events=(event.SerializeToString(deterministic=True),),
        wake=Wake(queue_entries.tick(job_id, nonce=secrets.token_hex(6), now_ms=now_ms)),
        hold=hold_of(job),
    )
    assert isinstance(await store.commit(change), Committed)
    return job_id


async def cancel(store: Store, job: pb.Job) -> None:
    """Ask for the end of a job, as a server does."""
    while True:
        now_ms = await store.now_ms()
        record = pb.CancelRecord(
            actor="test", reason="enough", mode=pb.CANCEL_MODE_STOP, request_time=timestamp(now_ms)
        )
        draft = pb.JobEvent(
            type=pb.EVENT_TYPE_CANCEL_REQUESTED, state=pb.JOB_STATE_CANCELLING, cancel=record, actor="test"
        )
        after, events = apply(job, (draft,), now_ms=now_ms)
        entry = queue_entries.tick(keys.job_id(job.name), nonce=secrets.token_hex(6), now_ms=now_ms)
        answer = await store.commit(
            Commit(
                before=job.state,
                job=after,
                expected_revision=job.revision,
                events=tuple(event.SerializeToString(deterministic=True) for event in events),
                wake=Wake(entry),
            )
        )
        if isinstance(answer, Committed):
            return
        assert isinstance(answer, Stale)
        found = await store.load(keys.job_id(job.name))
        assert found is not None
        job = found


async def everything(redis: Redis) -> dict[bytes, Any]:
    """Every key of the store with its serialised value."""
    # The fields of a hash stand in another order after a mere look at it.
    content: dict[bytes, Any] = {b"hash": redis.hgetall}
    return {key: await content.get(await redis.type(key), redis.dump)(key) async for key in redis.scan_iter()}
