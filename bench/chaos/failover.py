"""A primary that dies under load, a Sentinel that makes its replica the primary, and what that loses."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.chaos.judging import judge
from bench.chaos.results import Report, at_most, none
from bench.chaos.stage import PATIENT, Plan, Stage, Trial
from bench.chaos.submits import Acks, mixed
from bench.chaos.truth import Truth
from bench.chaos.waiting import until
from bench.chaos.watches import WatcherCrowd
from redis.asyncio import Redis
from redis.exceptions import RedisError

from headgate_cli.dev.child_process import Child
from headgate_cli.dev.ports import free_port
from headgate_cli.dev.redis_server import RedisServer, find_redis_server

NAME = "headgate"
"""What the Sentinel calls the primary."""


@dataclass(frozen=True, slots=True)
class Failover:
    """Size of `sentinel-failover`."""

    jobs: int = 600
    per_second: float = 20.0
    watchers: int = 100
    before: float = 10.0
    down_after_millis: int = 1_000


async def sentinel_failover(trial: Trial, size: Failover | None = None) -> Report:
    """Kill the primary for good; a Sentinel makes the replica the next one, on a link without delay."""
    size = size or Failover()
    acks = Acks()
    async with (
        Stage(Plan(workers=0, servers=0)) as stage,
        RedisServer(appendonly=True) as replica,
        _sentinel(stage.redis, replica, size) as url,
        Truth(replica.url) as truth,
    ):
        await asyncio.gather(*_processes(stage, url))
        client = await stage.client(PATIENT)
        crowd = WatcherCrowd([client], at_a_time=size.watchers)
        submitting = asyncio.create_task(
            acks.steadily(
                client, mixed, count=size.jobs, per_second=size.per_second, then=lambda ack: crowd.watch(ack.job_id)
            )
        )
        await asyncio.sleep(size.before)
        await stage.redis.kill()
        began = time.monotonic()
        promoted = await until(lambda: _is_primary(truth.redis), 30.0)
        trial.say(f"the replica is the primary after {promoted:.1f} s")
        stage.truth = truth
        await submitting
        outage = min((a.ended for a in acks.all if a.began > began and a.code == "OK"), default=float("inf")) - began
        await truth.settle(acks.ids(), 90.0)
        await crowd.finish(20.0)
        judged = await judge(stage, acks.ids(), crowd.records, seconds=90.0)
    checks = [
        at_most("death of the primary to next acknowledged submit, s", 10.0, outage),
        none("submits that failed after the client's retries", len(acks.all) - len(acks.ids())),
        *judged.checks,
    ]
    figures = {
        "promoted after, s": promoted,
        "histories that were replaced": sum(record.resets for record in crowd.records),
        **judged.figures,
    }
    words = f"{size.jobs} jobs at {size.per_second:g}/s, {size.watchers} watchers at a time, one Sentinel"
    return Report(words, tuple(checks), figures)


def _processes(stage: Stage, url: str) -> list[Any]:
    where = {"HEADGATE_REDIS_URL": url}
    return [stage.add_server(**where), stage.add_worker(**where), stage.add_worker(**where)]


@asynccontextmanager
async def _sentinel(primary: RedisServer, replica: RedisServer, size: Failover) -> AsyncIterator[str]:
    """Make the one a replica of the other, under a Sentinel that knows both; its address for HEADGATE_REDIS_URL."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="headgate-sentinel-") as folder:
        file = _configured(Path(folder), port, primary.port, size.down_after_millis)
        async with _client(replica.port) as follower:
            await follower.replicaof("127.0.0.1", primary.port)
        command = (str(find_redis_server()), str(file), "--sentinel")
        child = await Child.spawn("sentinel", command, on_line=lambda line: None)
        try:
            await until(lambda: _knows_a_replica(port), 20.0)
            yield f"redis+sentinel://127.0.0.1:{port}/{NAME}"
        finally:
            await child.stop(grace=5.0)


def _configured(folder: Path, port: int, primary_port: int, down_after_millis: int) -> Path:
    """Write the Sentinel's configuration, which it rewrites itself later; the file."""
    lines = (
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {folder}",
        f"sentinel monitor {NAME} 127.0.0.1 {primary_port} 1",
        f"sentinel down-after-milliseconds {NAME} {down_after_millis}",
        f"sentinel failover-timeout {NAME} 4000",
    )
    file = folder / "sentinel.conf"
    file.write_text("\n".join(lines) + "\n")
    return file


@asynccontextmanager
async def _client(port: int) -> AsyncIterator[Any]:
    client: Any = Redis(port=port)
    try:
        yield client
    finally:
        await client.aclose()


async def _knows_a_replica(port: int) -> bool:
    async with _client(port) as asked:
        try:
            found = await asked.sentinel_slaves(NAME)
        except RedisError:
            return False
    return len(found) == 1 and found[0]["master-link-status"] == "ok"


async def _is_primary(redis: Any) -> bool:
    return bool((await redis.info("replication"))["role"] == "master")
