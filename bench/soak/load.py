"""The steady load: jobs that are submitted, watched, read, cancelled and deleted, by callers that come and go."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from bench.chaos.submits import mixed

from headgate import pb
from headgate_client import Client, EndItem, HeadgateError, WatchOptions, date_range

LEAVES: Final = 0.5
"""Share of the watchers that hang up once in the middle and come back."""

CANCELS: Final = 20
"""Each so manieth job is cancelled."""

LONGEST_SECONDS: Final = 120.0
"""A job that has not ended after so long counts as a failure."""

WATCH: Final = WatchOptions(progress_interval=5.0)


class SoakLoad:
    """Submits at a rate until stopped; every job is watched to its end and then deleted.

    `counts` has how often everything was done, `failures` what went wrong by kind of call.
    """

    def __init__(self, clients: list[Client], rng: random.Random, *, per_second: float) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._clients = clients
        self._dice = rng
        self._rate = per_second
        self._stopping = asyncio.Event()
        self._lives: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Submit nothing more."""
        self._stopping.set()

    async def run(self) -> None:
        """Be the load until stopped; returns when every job has ended and was deleted."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._submit())
            group.create_task(self._read())
            group.create_task(self._look_on())
        await asyncio.gather(*self._lives)

    async def _submit(self) -> None:
        began, number = time.monotonic(), 0
        while not await self._stopped_within(began + number / self._rate - time.monotonic()):
            life = asyncio.create_task(self._live(number))
            self._lives.add(life)
            life.add_done_callback(self._lives.discard)
            number += 1

    async def _live(self, number: int) -> None:
        """The life of one job as its caller sees it."""
        client = self._clients[number % len(self._clients)]
        job_id = f"c{number}"

        async def submit() -> None:
            await client.jobs.submit(mixed(number))

        if not await self._tried("submit", submit):
            return
        if number % CANCELS == CANCELS - 1:
            await self._tried("cancel", lambda: client.jobs.cancel(job_id, reason="soak"))
        await self._tried("watch", lambda: self._follow(client, job_id))
        await self._tried("delete", lambda: client.jobs.delete(job_id))

    async def _follow(self, client: Client, job_id: str) -> None:
        patience = self._dice.uniform(0.1, 3.0) if self._dice.random() < LEAVES else None
        after = 0
        if patience is not None:
            after = await self._glance(client, job_id, patience)
        async with (
            asyncio.timeout(LONGEST_SECONDS),
            client.jobs.watch(job_id, start_revision=after + 1, watch=WATCH) as watch,
        ):
            async for item in watch:
                if isinstance(item, EndItem):
                    return

    async def _glance(self, client: Client, job_id: str, seconds: float) -> int:
        """Watch for a while and hang up; the last revision that was seen."""
        last = 0
        try:
            async with asyncio.timeout(seconds), client.jobs.watch(job_id, start_revision=1, watch=WATCH) as watch:
                async for item in watch:
                    last = max(last, getattr(item, "revision", 0))
        except TimeoutError:
            self.counts["hang-up"] += 1
        return last

    async def _read(self) -> None:
        while not await self._stopped_within(1 / (2 * self._rate)):
            client = self._dice.choice(self._clients)
            await self._tried("count", client.jobs.count)
            await self._tried("list", lambda client=client: _page(client))  # type: ignore[misc]
            await self._tried("instances", lambda client=client: _instances(client))  # type: ignore[misc]

    async def _look_on(self) -> None:
        """A watcher of all jobs that comes and goes."""
        while not await self._stopped_within(0.1):
            await self._tried("watch of all", lambda: self._glance_at_all(self._dice.choice(self._clients)))

    async def _glance_at_all(self, client: Client) -> None:
        try:
            async with asyncio.timeout(self._dice.uniform(0.2, 4.0)), client.jobs.watch_all(watch=WATCH) as watch:
                async for _ in watch:
                    self.counts["events of all jobs"] += 1
        except TimeoutError:
            return

    async def _tried(self, what: str, call: Callable[[], Awaitable[object]]) -> bool:
        try:
            await call()
        except HeadgateError as error:
            self.failures[f"{what}: {error.code.name} {error.reason}"] += 1
            return False
        except TimeoutError:
            self.failures[f"{what}: not ended after {LONGEST_SECONDS:g} s"] += 1
            return False
        self.counts[what] += 1
        return True

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True


async def _page(client: Client) -> None:
    await client.jobs.list_page(pb.ListJobsRequest(page_size=20))


async def _instances(client: Client) -> None:
    request = pb.ListWorkflowInstancesRequest(project_id=257880, page_size=5)
    request.biz_dates.append(date_range("2025-02-05"))
    await client.workflow_instances.list_page(request)
