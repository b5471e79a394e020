"""Reads: an entry on the reads lane, the emulator behind, the answer on the asking process's list."""

from __future__ import annotations

import secrets
from datetime import date

import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.store import keys, queue_entries
from headgate.store.queue_entries import ReadReply
from headgate_emulator.app import RunningEmulator
from headgate_worker.core.model.calls import InstancePage
from headgate_worker.process.settings import Settings
from headgate_worker.reads.list_cursor import ListCursor
from headgate_worker.reads.page_tokens import BadPageToken
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker
from tests.worker.scenarios.test_backfill import ended
from tests.worker.submitting import SEED_PROJECT, backfill_job, days, seed_backfill, submit

pytestmark = pytest.mark.slow


async def read(redis: Redis, method: str, request: Message, *, seconds: float = 5.0) -> ReadReply:
    """Ask as a server asks; the answer."""
    now_ms = int((await redis.time())[0]) * 1000
    reply_to = keys.replies(secrets.token_hex(4))
    asked = queue_entries.ReadRequest(7, method, request.SerializeToString(), reply_to, now_ms + int(seconds * 1000))
    entry = queue_entries.read(asked, nonce=secrets.token_hex(6), now_ms=now_ms)
    await redis.psetex(keys.arq_job(entry.id), 60_000, entry.definition)
    await redis.zadd(keys.READS, {entry.id: now_ms})
    await redis.lpush(keys.kick(keys.READS), entry.id)  # type: ignore[misc]
    answer = await redis.blpop([reply_to], timeout=4)  # type: ignore[misc]
    assert answer is not None
    return queue_entries.decode_reply(answer[1])


def reason(reply: ReadReply) -> str:
    info = ErrorInfo()
    assert not reply.ok
    Status.FromString(reply.payload).details[0].Unpack(info)
    return str(info.reason)


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


def instance(number: int) -> pb.WorkflowInstance:
    return pb.WorkflowInstance(id=number)


def request() -> pb.ListWorkflowInstancesRequest:
    return pb.ListWorkflowInstancesRequest(project_id=1, biz_dates=days("2025-01-01", "2025-01-02"))


def test_a_walk_continues_where_its_token_says() -> None:
    cursor = ListCursor.begin(request())
    page = InstancePage((instance(1), instance(2), instance(3)), 3)
    taken, stopped = cursor.take(page, lambda _: True, 2)
    again = request()
    again.page_token = stopped.token()

    rest, done = ListCursor.begin(again).take(page, lambda _: True, 2)

    assert [row.id for row in taken + rest] == [1, 2, 3]
    assert (done.at, done.page) == (1, 1)


def test_a_token_of_other_arguments_is_refused() -> None:
    other = request()
    other.project_id = 2
    other.page_token = ListCursor.begin(request()).token()
    for bad in (other.page_token, "x", "W10=", "bnVsbA=="):
        other.page_token = bad
        try:
            ListCursor.begin(other)
        except BadPageToken:
            continue
        raise AssertionError(bad)
