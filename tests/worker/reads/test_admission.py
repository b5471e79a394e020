"""Reads wait for the shared quota as long as their caller does, and no longer: a late answer would only use it up."""

from __future__ import annotations

import asyncio

from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from redis.asyncio import Redis

from headgate import pb
from headgate.quota.admission import PLAIN, Go, QuotaVerdict, Slot
from headgate.quota.priority import Rank
from headgate.store import keys, queue_entries
from headgate_redis.clock import StoreClock
from headgate_worker.core.model.calls import Call, Failure, FailureKind, Outcome
from headgate_worker.core.model.view import Policy
from headgate_worker.reads.reader import Reader
from headgate_worker.store.jobs import Store
from tests.worker.submitting import seed_backfill
from tests.worker.ticks.conftest import Upstream


class Slots(Upstream):
    """A cloud whose quota hands out a slot `ahead_ms` ahead so often, and then lets the call out."""

    def __init__(self, clock: StoreClock, ahead_ms: int, slots: int) -> None:
        super().__init__()
        self.timeouts: list[float] = []
        self.slots = slots
        self._clock = clock
        self._ahead_ms = ahead_ms

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        if not self.slots:
            return Go()
        self.slots -= 1
        return Slot(self._clock.now_ms() + self._ahead_ms, 3)

    async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
        self.timeouts.append(timeout_seconds)
        return Failure(FailureKind.REFUSED, "Invalid.NotFound", "no")


async def answered(store: Store, redis: Redis, *, ahead_ms: int, slots: int, left_ms: int) -> tuple[str, Slots]:
    """Read an instance while the quota is as told; the reason of the answer, which is always an error."""
    clock = StoreClock(await store.now_ms())
    upstream = Slots(clock, ahead_ms, slots)
    reply_to = keys.replies("slots")
    request = pb.GetWorkflowInstanceRequest(id=1).SerializeToString()
    asked = queue_entries.ReadRequest(1, "GetWorkflowInstance", request, reply_to, clock.now_ms() + left_ms)
    definition = queue_entries.decode(queue_entries.read(asked, nonce="0" * 12, now_ms=clock.now_ms()).definition)
    await Reader(store, upstream, clock, Policy()).read(*definition["a"])
    raw = await redis.lpop(reply_to)  # type: ignore[misc]  # redis-py says Awaitable or bytes
    info = ErrorInfo()
    Status.FromString(queue_entries.decode_reply(raw).payload).details[0].Unpack(info)
    return info.reason, upstream


async def test_a_slot_that_moves_beyond_the_deadline_is_not_waited_for(store: Store, redis: Redis) -> None:
    reason, upstream = await answered(store, redis, ahead_ms=200, slots=1_000, left_ms=1_000)

    assert reason == "UPSTREAM_QPS"
    assert upstream.slots >= 995  # shown again while there was time, and not for ever
    assert upstream.timeouts == []


async def test_a_read_is_cut_off_at_its_deadline(store: Store, redis: Redis) -> None:
    clock = StoreClock(await store.now_ms())
    upstream = Endless(clock, ahead_ms=0, slots=0)
    request = pb.PlanBackfillRequest(spec=seed_backfill(reprocess=pb.REPROCESS_MISSING_ONLY))
    asked = queue_entries.ReadRequest(1, "PlanBackfill", request.SerializeToString(), "nobody", clock.now_ms() + 300)
    definition = queue_entries.decode(queue_entries.read(asked, nonce="0" * 12, now_ms=clock.now_ms()).definition)

    async with asyncio.timeout(10):
        await Reader(store, upstream, clock, Policy()).read(*definition["a"])

    assert len(upstream.timeouts) == 2
    assert not await redis.exists("nobody")


class Endless(Slots):
    """A cloud that keeps no time: its calls don't end by themselves."""

    async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
        self.timeouts.append(timeout_seconds)
        await asyncio.Event().wait()
        raise AssertionError


async def test_what_was_waited_is_not_there_for_the_call_any_more(store: Store, redis: Redis) -> None:
    reason, upstream = await answered(store, redis, ahead_ms=500, slots=2, left_ms=20_000)

    assert reason == "UPSTREAM_REFUSED"
    assert len(upstream.timeouts) == 1
    assert 0 < upstream.timeouts[0] <= 19.0
