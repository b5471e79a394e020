"""A tick whose call is to come later: it ends, comes again when it was told, and says who asks and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.quota.admission import PLAIN, Crowded, Frozen, Go, Later, QuotaVerdict, Slot
from headgate.quota.priority import Rank
from headgate.store import keys
from headgate.store.commit import Commit, CommitOutcome, Committed
from headgate_redis.clock import StoreClock
from headgate_worker.core.model.calls import Call, Failure, FailureKind, GetInstance, Outcome
from headgate_worker.core.model.steps import Act
from headgate_worker.core.model.view import Policy
from headgate_worker.core.planner import IDLE_MS
from headgate_worker.ports.store import Taken
from headgate_worker.store.jobs import Store
from headgate_worker.store.randomness import SystemJitter
from headgate_worker.ticks.admission import Admission, leaves_out
from headgate_worker.ticks.engine import Engine
from headgate_worker.ticks.tick import NextTick, Tick, TickLimits, no_checkpoint
from tests.worker.submitting import backfill_job, seed_backfill, submit


@dataclass
class Upstream:
    """A cloud whose quota answers as it is told, and which refuses what it is called for."""

    verdicts: list[QuotaVerdict]
    asked: list[tuple[Rank, int | None]] = field(default_factory=list)
    calls: int = 0

    def get(self, connection: str) -> Upstream:
        return self

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        self.asked.append((rank, held))
        return self.verdicts.pop(0)

    async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
        self.calls += 1
        return Failure(FailureKind.REFUSED, "No", "no")

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        return None

    async def aclose(self) -> None:
        return


NOW_MS = 1_700_000_000_000


class VirtualClock:
    """Stands still."""

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return 0.0

    def learn(self, store_ms: int) -> None:
        raise AssertionError("nobody asks the store here")


class Recorder(Store):
    """Takes commits and notes them; Redis is not asked."""

    def __init__(self, committed: list[Commit]) -> None:
        self._committed = committed
        self.lease_ms = 5_000

    async def commit(self, change: Commit) -> CommitOutcome:
        self._committed.append(change)
        return Committed(1, NOW_MS)


def tick_of(committed: list[Commit]) -> Tick:
    taken = Taken(pb.Job(name="jobs/t", state=pb.JOB_STATE_RUNNING), 1, 1, b"", NOW_MS)
    return Tick(Recorder(committed), VirtualClock(), SystemJitter(), taken, 0.0, no_checkpoint)


async def looks(store: Store, upstream: Upstream, times: int) -> str:
    """Look at a job of alice's so often, as a worker would after the time that it was told; its id."""
    job_id = await submit(store, backfill_job(seed_backfill(), creator="alice", priority=3))
    engine = Engine(
        store, upstream, StoreClock(await store.now_ms()), SystemJitter(), policy=Policy(), limits=TickLimits()
    )
    for _ in range(times):
        await engine.tick(job_id)
    return job_id


async def test_a_call_that_is_to_come_later_asks_again_then(store: Store, redis: Redis) -> None:
    at_ms = await store.now_ms() + 20_000
    upstream = Upstream([Later(at_ms)])
    job_id = await looks(store, upstream, 1)

    assert upstream.calls == 0
    entries = {name.decode().split(":")[1]: at for name, at in await redis.zrange(keys.TICKS, 0, -1, withscores=True)}
    assert at_ms <= entries[job_id] < at_ms + 5_000  # the script adds the rest of the time to its own clock


async def test_who_asks_again_says_who_it_is_and_how_long_it_has_waited(store: Store) -> None:
    upstream = Upstream([Later(await store.now_ms() + 20_000), Later(await store.now_ms() + 30_000), *[Go()] * 5])
    await looks(store, upstream, 3)

    ranks = [rank for rank, _ in upstream.asked]
    assert {(rank.creator, rank.priority) for rank in ranks} == {("alice", 3)}
    assert ranks[0].waited_ms == 0 < ranks[2].waited_ms
    assert upstream.calls > 0


async def test_a_slot_that_is_taken_back_is_not_asked_for_anew(store: Store) -> None:
    """Its call counts as made: the next tick shows the same slot, and nothing is counted twice."""
    now_ms = await store.now_ms()
    upstream = Upstream([Slot(now_ms, 7), Later(now_ms + 20_000), *[Go()] * 5])
    await looks(store, upstream, 2)

    assert [held for _, held in upstream.asked[:3]] == [None, 7, 7]
    assert upstream.calls > 0


NO_ROOM: Sequence[QuotaVerdict] = (Frozen(5), Crowded(5), Later(101))


@pytest.mark.parametrize("verdict", [Go(), Slot(50), Later(100), *NO_ROOM])
def test_what_is_worth_a_short_wait_only_is_left_out_where_there_is_no_room(verdict: QuotaVerdict) -> None:
    assert leaves_out(Act(call=GetInstance(1), until_ms=100), verdict) is (verdict in NO_ROOM)
    assert not leaves_out(Act(call=GetInstance(1)), verdict)


@pytest.mark.parametrize(
    ("verdict", "poll_ms"),
    [(Later(NOW_MS + 20_000), NOW_MS + 20_000), (Frozen(NOW_MS + 9_000_000), NOW_MS + 9_000_000)],
)
async def test_a_call_that_may_not_go_out_yet_names_the_next_tick_and_commits_nothing(
    verdict: QuotaVerdict, poll_ms: int
) -> None:
    committed: list[Commit] = []
    tick = tick_of(committed)
    admission = Admission(Upstream([]), VirtualClock())

    following = await admission.admit(tick, Act(call=GetInstance(1)), GetInstance(1), verdict)

    assert following == NextTick(min(poll_ms, NOW_MS + IDLE_MS), poll_ms)
    assert not committed


async def test_a_slot_is_kept_for_the_next_tick() -> None:
    tick = tick_of([])
    slot = Slot(NOW_MS + 60_000, 7)

    following = await Admission(Upstream([]), VirtualClock()).admit(tick, Act(), GetInstance(1), slot)

    assert following == NextTick(NOW_MS + 60_000, NOW_MS + 60_000)
    assert (tick.hints.slot_class, tick.hints.slot_at_ms, tick.hints.slot_epoch) == ("read", NOW_MS + 60_000, 7)


async def test_a_call_that_goes_out_names_no_next_tick() -> None:
    assert await Admission(Upstream([]), VirtualClock()).admit(tick_of([]), Act(), GetInstance(1), Go()) is None
