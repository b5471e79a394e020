"""Reads: an entry on the reads lane, and the answer on the list of the process that asked."""

from __future__ import annotations

from datetime import date

import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.store import keys, queue_entries
from headgate_emulator.app import RunningEmulator
from headgate_emulator.faults import ErrorReply
from headgate_worker.core.model.calls import (
    Failure,
    FailureKind,
    GetTaskLog,
)
from headgate_worker.process.settings import Settings
from headgate_worker.reads.reader import of_failure
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker
from tests.worker.reads.conftest import read, reason
from tests.worker.scenarios.test_backfill import ended
from tests.worker.submitting import SEED_PROJECT, backfill_job, days, seed_backfill, submit

pytestmark = pytest.mark.slow


async def test_reads_through_a_worker(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        job = await ended(store, await submit(store, backfill_job(seed_backfill())))
        first, second = (run.workflow_instance_id for run in job.runs)

        one = await read(redis, "GetWorkflowInstance", pb.GetWorkflowInstanceRequest(id=first))
        many = await read(redis, "BatchGetWorkflowInstances", pb.BatchGetWorkflowInstancesRequest(ids=[second, first]))
        gone = await read(redis, "GetWorkflowInstance", pb.GetWorkflowInstanceRequest(id=5))
        unknown = await read(redis, "Nonsense", pb.GetWorkflowInstanceRequest(id=5))
        elsewhere = await read(redis, "GetWorkflowInstance", pb.GetWorkflowInstanceRequest(id=first, connection="mars"))

    seen = pb.WorkflowInstance.FromString(one.payload)
    assert (seen.id, seen.status, seen.status_raw) == (first, pb.WORKFLOW_INSTANCE_STATUS_SUCCESS, "Success")
    assert dates.from_message(seen.biz_date) == date(2025, 2, 5)
    assert seen.biz_date_millis == 1738684800000
    batch = pb.BatchGetWorkflowInstancesResponse.FromString(many.payload)
    assert [row.id for row in batch.workflow_instances] == [second, first]
    assert reason(gone) == "INSTANCE_UNKNOWN"
    assert reason(unknown) == "METHOD_UNBUILT"
    assert reason(elsewhere) == "CONNECTION_UNKNOWN"
    assert await redis.get(keys.observation("", first)) is not None


async def test_a_list_walks_dates_and_pages(
    store: Store, redis: Redis, worker_settings: Settings, run_worker: RunWorker
) -> None:
    async with run_worker(worker_settings):
        for _ in range(3):
            await ended(store, await submit(store, backfill_job(seed_backfill())))
        request = pb.ListWorkflowInstancesRequest(
            project_id=SEED_PROJECT, biz_dates=days("2025-02-04", "2025-02-07"), page_size=2
        )
        rows: list[pb.WorkflowInstance] = []
        for _ in range(10):
            answer = await read(redis, "ListWorkflowInstances", request)
            page = pb.ListWorkflowInstancesResponse.FromString(answer.payload)
            rows += page.workflow_instances
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        request.page_token = "bm9uc2Vuc2U="
        refused = await read(redis, "ListWorkflowInstances", request)

    assert [(dates.from_message(row.biz_date).day, row.id) for row in rows] == sorted(
        (dates.from_message(row.biz_date).day, row.id) for row in rows
    )
    assert len({row.id for row in rows}) == len(rows) == 6
    assert reason(refused) == "PAGE_TOKEN_INVALID"


async def test_a_read_after_its_deadline_is_not_answered(
    store: Store, redis: Redis, emulator: RunningEmulator, worker_settings: Settings, run_worker: RunWorker
) -> None:
    reply_to = keys.replies("late")
    asked = queue_entries.ReadRequest(1, "GetWorkflowInstance", b"", reply_to, 1)
    entry = queue_entries.read(asked, nonce="0" * 12, now_ms=1)
    await redis.psetex(keys.arq_job(entry.id), 60_000, entry.definition)
    await redis.zadd(keys.READS, {entry.id: 1})
    async with run_worker(worker_settings):
        await ended(store, await submit(store, backfill_job(seed_backfill())))

    assert await redis.zcard(keys.READS) == 0
    assert await redis.exists(reply_to) == 0
    assert not [row for row in emulator.ledger.rows() if row.params.get("Id") == "0"]


def request() -> pb.ListWorkflowInstancesRequest:
    return pb.ListWorkflowInstancesRequest(project_id=1, biz_dates=days("2025-01-01", "2025-01-02"))


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("Throttling.User", 429, "UPSTREAM_QPS"),
        ("Throttling.Api.Risk", 429, "UPSTREAM_DAILY"),
        ("Forbidden.Access", 403, "UPSTREAM_DENIED"),
        ("InvalidParameter", 400, "UPSTREAM_REFUSED"),
        ("InternalError.System", 500, "UPSTREAM_UNAVAILABLE"),
    ],
)
async def test_what_upstream_says_is_told_as_for_instances(
    redis: Redis,
    emulator: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
    code: str,
    status: int,
    expected: str,
) -> None:
    emulator.faults.add([ErrorReply(action="GetTaskInstance", code=code, status=status)])
    async with run_worker(worker_settings):
        answer = await read(redis, "GetTaskInstance", pb.GetTaskInstanceRequest(id=7))

    assert reason(answer) == expected


def test_an_answer_that_is_too_large_is_not_worth_asking_for_again() -> None:
    too_large = Failure(FailureKind.TRANSIENT, "reply_too_large", "more than 16777216 bytes")

    status = of_failure(too_large, GetTaskLog(7))

    info = ErrorInfo()
    assert len(status.details) == 1  # no RetryInfo
    assert status.details[0].Unpack(info)
    assert info.reason == "UPSTREAM_REPLY_TOO_LARGE"
