"""What tests of ticks share: a cloud that refuses every call, and an engine."""

from __future__ import annotations

from headgate.quota.admission import PLAIN, Go, QuotaVerdict
from headgate.quota.priority import Rank
from headgate_redis.clock import StoreClock
from headgate_worker.core.model.calls import Call, Failure, FailureKind, Outcome
from headgate_worker.core.model.view import Policy
from headgate_worker.store.jobs import Store
from headgate_worker.store.randomness import SystemJitter
from headgate_worker.ticks.engine import Engine
from headgate_worker.ticks.tick import TickLimits

LEASE_MS = 400


class Upstream:
    """A cloud that refuses every call and notes it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def get(self, connection: str) -> Upstream:
        return self

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        return Go()

    async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
        self.calls.append(call)
        return Failure(FailureKind.TRANSIENT, "Busy", "try again")

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        """It can be reached."""
        return None

    async def aclose(self) -> None:
        return


async def engine(store: Store, upstream: Upstream) -> Engine:
    clock = StoreClock(await store.now_ms())
    return Engine(store, upstream, clock, SystemJitter(), policy=Policy(), limits=TickLimits())
