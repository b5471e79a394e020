"""What headgate is compared with really does the work it is measured for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from bench.chaos.waiting import NEVER, until_true
from bench.floor.lua import round_trips
from bench.floor.stream import TRIGGER, WATCH
from bench.journal import Journal, accepted, event, finished, running
from bench.naive.server import SUBMIT
from bench.rows.seeding import ask
from bench.setting import WATCH_JOB, Setting
from bench.upstream import authority
from bench.wire import Wire

from headgate import pb
from headgate.job import event_log
from headgate.store import keys

pytestmark = pytest.mark.slow


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    async with Setting() as made:
        yield made


async def test_the_script_alone_records_jobs(setting: Setting) -> None:
    milliseconds = await round_trips(setting, seconds=0.05)
    redis = await setting.client()

    assert milliseconds > 0
    assert await redis.zcard(keys.JOBS) > 0


async def test_the_journal_writes_jobs_as_servers_and_workers_do(setting: Setting) -> None:
    redis: Any = await setting.client()
    await Journal(redis).write_all([*finished(0, "ended", 20), *running(0, "going")])

    events = [pb.JobEvent.FromString(raw) for raw in await redis.lrange(keys.log("ended-0"), 0, -1)]
    assert event_log.replay(events).state == pb.JOB_STATE_SUCCEEDED
    assert len(events) == 20
    going = pb.Job.FromString(await redis.hget(keys.job("going-0"), "snap"))
    assert going.runs[0].state == pb.RUN_STATE_RUNNING


async def test_a_refused_commit_is_not_counted(setting: Setting) -> None:
    journal = Journal(await setting.client())
    _, change = accepted(1, "twice")
    await journal.write(change)

    with pytest.raises(RuntimeError, match="refused"):
        await journal.write(change)


async def test_bare_streams_send_a_trigger_to_all(setting: Setting) -> None:
    floor = await setting.floor("bench.floor.stream")
    streams = await setting.streams(floor, WATCH, 7, connections=2)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{floor.addresses['port']}") as channel:
        await ask(channel, TRIGGER, b"message")

    assert await until_true(lambda: streams.said('"at"') == 1, 10) != NEVER


async def test_streams_tell_every_message_of_a_watch(setting: Setting) -> None:
    server, journal = await setting.server(), Journal(await setting.client())
    job, change = accepted(1, "watched")
    await journal.write(change)
    streams = await setting.streams(server, WATCH_JOB, 2, jobs=[job.name], connections=1, each=True)
    _, change = event(job)
    await journal.write(change)

    assert await until_true(lambda: streams.said(f'"job": "{job.name}", "revision": 2') == 2, 10) != NEVER


async def test_the_version_of_one_day_calls_the_cloud(setting: Setting) -> None:
    async with Wire(await setting.emulator()) as wire:
        naive = await setting.naive(f"127.0.0.1:{wire.port}")
        wire.expect("a-name-of-one-day")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{naive.addresses['port']}") as channel:
            await ask(channel, SUBMIT, b"a-name-of-one-day")

        assert await until_true(lambda: wire.seen("a-name-of-one-day") > 0, 15) != NEVER


@pytest.mark.parametrize("who", ["headgate", "sdk", "aiohttp"])
async def test_every_caller_is_answered_over_verified_https(who: str, tmp_path: Path) -> None:
    files = authority.make(tmp_path)
    async with Setting(redis=False) as setting:
        server = await setting.floor("bench.upstream.server", str(files.chain))
        arguments = (who, f"https://127.0.0.1:{server.addresses['port']}", str(files.trusted), "0.05")
        found = await setting.answer("bench.upstream.caller", *arguments)

    assert found["calls"] > 0


@pytest.mark.parametrize("who", ["leased", "arq"])
async def test_both_workers_do_the_same_ticks(setting: Setting, who: str) -> None:
    redis = await setting.client()
    journal = Journal(redis)
    await journal.write_all(running(0, "ticked"))
    worker = await setting.floor("bench.ticking", who, setting.redis.url)
    await journal.make_due()

    def ticked() -> bool:
        return any(json.loads(line)["done"] for line in worker.lines if line.startswith("{"))

    assert await until_true(ticked, 15) != NEVER
    assert await redis.exists(keys.observation("", 1))
