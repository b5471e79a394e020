"""`python -m bench.ticking WHO REDIS_URL`: a worker whose cloud answers at once, so that only our own work is measured.

WHO is `leased`, the worker as it is, or `arq`: a stock ARQ worker with the same engine, so with the same reads and
writes, on redis-py's client as ARQ hands it to its functions, and tuned as its documentation says. Prints 10 times
a second how many ticks it has done.
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import sys
import time
from contextlib import suppress

from arq.worker import Worker, func
from redis.asyncio import Redis

from headgate import pb
from headgate.quota.admission import PLAIN, Go, QuotaVerdict
from headgate.quota.priority import Rank
from headgate.store import keys, queue_entries
from headgate_ops.process_tuning import COLLECTOR
from headgate_redis.clock import StoreClock
from headgate_worker.core.model.calls import Call, Failure, GetInstance, Outcome, Reply
from headgate_worker.core.model.view import Policy
from headgate_worker.queue.leased_worker import LaneOptions, LeasedWorker
from headgate_worker.store.clients import blocking_client, close, command_client
from headgate_worker.store.jobs import Store
from headgate_worker.store.randomness import SystemJitter
from headgate_worker.ticks.engine import Engine
from headgate_worker.ticks.tick import TickLimits

SLOTS = 100
POLL = Policy(poll_min_ms=1_000, poll_max_ms=1_000, poll_far_ms=1_000, poll_idle_ms=1_000)
"""Every job is due again after a second, so that with enough jobs there is always more to do."""


class Instant:
    """A cloud in which every instance runs, and every call may go out."""

    def get(self, connection: str) -> Instant:
        """Itself, for every connection."""
        return self

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        """At once."""
        return Go()

    async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
        """A running instance."""
        if not isinstance(call, GetInstance):
            raise TypeError(f"only GetInstance is answered here, not {type(call).__name__}")
        seen = pb.WorkflowInstance(id=call.id, status=pb.WORKFLOW_INSTANCE_STATUS_RUNNING, status_raw="Running")
        seen.project_id, seen.name = 1, "bench"
        seen.observe_time.GetCurrentTime()
        return Reply(seen, "request", 0.0)

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        """It can be reached."""
        return None

    async def aclose(self) -> None:
        """Nothing to close."""


class Counter:
    """The engine's tick, counted."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.done = 0

    async def leased(self, job_id: str) -> None:
        """For our own worker."""
        await self._engine.tick(job_id)
        self.done += 1

    async def arq(self, _context: object, job_id: str) -> None:
        """For a stock worker, which hands a context."""
        await self.leased(job_id)

    async def tell(self) -> None:
        """Say how many, ten times a second, until cancelled."""
        while True:
            print(json.dumps({"at": time.monotonic(), "done": self.done}), flush=True)
            await asyncio.sleep(0.1)


async def main(who: str, url: str) -> None:
    """Work until SIGTERM."""
    if who == "leased":
        gc.set_threshold(*COLLECTOR)  # as the process does
    redis = command_client(url, connections=64) if who == "leased" else Redis.from_url(url, max_connections=256)
    store = Store(redis, lease_ms=4_000)
    clock = StoreClock(await store.now_ms())
    limits = TickLimits(call_seconds=10, attempts=5)
    counter = Counter(Engine(store, Instant(), clock, SystemJitter(), policy=POLL, limits=limits))
    telling = asyncio.create_task(counter.tell())
    print("ready port=0", flush=True)
    try:
        await (_leased(counter, redis, url) if who == "leased" else _stock(counter, redis))
    finally:
        telling.cancel()
        await close(redis)


async def _leased(counter: Counter, redis: object, url: str) -> None:
    blocking = blocking_client(url, block_seconds=1.0)
    options = LaneOptions(keys.TICKS, SLOTS, drain_seconds=1.0)
    lane = LeasedWorker(redis, blocking, {queue_entries.TICK: counter.leased}, options, f"bench-{time.monotonic_ns()}")  # type: ignore[arg-type]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lane.stop)
    await lane.main()
    await close(blocking)


async def _stock(counter: Counter, redis: object) -> None:
    worker = Worker(
        functions=[func(counter.arq, name=queue_entries.TICK)],
        queue_name=keys.TICKS,
        redis_pool=redis,  # type: ignore[arg-type]
        max_jobs=SLOTS,
        poll_delay=0.01,
        queue_read_limit=5_000,
        keep_result=0,
        job_serializer=queue_entries.encode,
        job_deserializer=queue_entries.decode,
    )
    with suppress(asyncio.CancelledError):
        await worker.async_run()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], sys.argv[2]))
