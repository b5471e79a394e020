"""N6 on real parts: a create that is lost over HTTP and listed late, and whose worker is killed at a point of its tick.

A small part of the matrix of `test_ambiguity`, with a real Redis, a worker in a process of its own that ends by
SIGKILL, another one that goes on, and the emulator behind a socket. Both settings of HEADGATE_AMBIGUOUS_CREATE occur.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from headgate import pb
from headgate.job import event_log
from headgate_cli.dev.redis_server import RedisServer
from headgate_emulator.app import RunningEmulator, serve
from headgate_emulator.faults import AppliedLate, CallFault, Latency, LostReply, LostRequest
from headgate_emulator.settings import Settings as EmulatorSettings
from headgate_worker.process.settings import Settings
from headgate_worker.store.clients import command_client
from headgate_worker.store.jobs import Store
from tests.worker.conftest import credentials as credentials
from tests.worker.conftest import eventually, running
from tests.worker.scenarios.test_backfill import ended, events_of
from tests.worker.submitting import backfill_job, seed_backfill, submit

pytestmark = pytest.mark.slow

CREATE = "CreateWorkflowInstances"
SETTLE_SECONDS = 2.5
LAG_SECONDS = 0.6
"""How far the listing lags; what is applied late is so by as much. Both together end before the search does."""

FATES: dict[str, CallFault] = {
    "request lost": LostRequest(action=CREATE),
    "reply lost": LostReply(action=CREATE),
    "applied late": AppliedLate(action=CREATE, seconds=LAG_SECONDS),
}
CASES = (("answered:1", False), ("committing:2", True), ("committed:2", False), ("answered:2", True))
"""The create has failed and nobody knows it; before and after that is on record; and in the search for what it made.

With it, whether an absent create is sent again."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A Redis and an emulator of a case's own."""

    redis: Redis
    store: Store
    emulator: RunningEmulator
    settings: Settings

    @property
    def sets(self) -> int:
        """Sets of instances upstream: the most that any date has."""
        made = [one.biz_date for one in self.emulator.world.instances]
        return max((made.count(day) for day in made), default=0)

    async def go_on(self, job_id: str, **settings: object) -> pb.Job:
        """The job after another worker has gone on with it, and all that was under way has arrived."""
        async with running(self.settings.model_copy(update=settings)):
            job = await ended(self.store, job_id)
        self.emulator.advance(60)
        assert event_log.replay(await events_of(self.redis, job_id)) == job
        return job


@asynccontextmanager
async def parts() -> AsyncIterator[Parts]:
    """Real parts, with an emulator whose lists lag."""
    slow = EmulatorSettings(listen="127.0.0.1:0", run_seconds=0.5, create_seconds=0.1, listing_lag_seconds=LAG_SECONDS)
    async with RedisServer(appendonly=True) as server, serve(slow) as emulator:
        client = command_client(server.url, connections=20)
        settings = Settings(
            redis_url=SecretStr(server.url),
            ops_listen="127.0.0.1:0",
            dataworks_endpoint=emulator.url,
            lease_seconds=1.0,
            reaper_seconds=0.2,
            poll_min_seconds=0.1,
            poll_max_seconds=0.5,
            adopt_grace_seconds=1.0,
        )
        try:
            yield Parts(client, Store(client, lease_ms=2_000, grace_ms=300), emulator, settings)
        finally:
            await client.aclose()


@asynccontextmanager
async def worker_process(settings: Settings, crash_at: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker that dies at a point; at none, it lives until the block ends."""
    environment = {
        **os.environ,
        "HEADGATE_REDIS_URL": settings.redis_url.get_secret_value(),
        "HEADGATE_OPS_LISTEN": "127.0.0.1:0",
        "HEADGATE_DATAWORKS_ENDPOINT": settings.dataworks_endpoint,
        "HEADGATE_LEASE_SECONDS": "1",
        "HEADGATE_CRASH_AT": crash_at,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "headgate_worker", env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lived(fate: str, point: str, *, resend: bool) -> None:
    """One case: the fault, the death, and what comes of it."""
    async with parts() as of:
        of.emulator.faults.add([FATES[fate]])
        job_id = await submit(of.store, backfill_job(seed_backfill()))
        async with worker_process(of.settings, point) as process, asyncio.timeout(40):
            assert await process.wait() == -signal.SIGKILL
        assert [row.fault for row in of.emulator.ledger.rows(action=CREATE)] == [FATES[fate].kind]

        policy = "resend" if resend else "attention"
        job = await of.go_on(job_id, settle_seconds=SETTLE_SECONDS, ambiguous_create=policy)

        asked = fate == "request lost" and not resend
        expected = (pb.JOB_STATE_NEEDS_ATTENTION, 0) if asked else (pb.JOB_STATE_SUCCEEDED, 1)
        assert (job.state, of.sets) == expected, (point, job.error)


@pytest.mark.parametrize("fate", FATES)
async def test_one_set_of_instances_or_a_person_is_asked(fate: str, credentials: None) -> None:
    """The deaths side by side: most of the time is spent in waiting for a search to settle."""
    async with asyncio.TaskGroup() as group:
        for point, resend in CASES:
            group.create_task(lived(fate, point, resend=resend))


async def test_a_create_that_is_under_way_when_its_worker_is_killed_is_found(credentials: None) -> None:
    """The request has arrived, and is executed when nobody is left to hear of it."""
    async with parts() as of:
        of.emulator.faults.add([Latency(action=CREATE, millis=1_000)])
        job_id = await submit(of.store, backfill_job(seed_backfill()))

        async def arrived() -> bool:
            return not of.emulator.faults.rows()

        async with worker_process(of.settings, "") as process:
            await eventually(arrived)
            process.kill()
            await process.wait()
        assert not of.emulator.ledger.rows(action=CREATE)

        job = await of.go_on(job_id, settle_seconds=SETTLE_SECONDS)

        assert (job.state, of.sets) == (pb.JOB_STATE_SUCCEEDED, 1), job.error
