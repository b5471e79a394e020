"""Notifications of real workers: a backfill that fails, a worker that is killed, and files that make no sense."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from redis.asyncio import Redis

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from headgate_emulator.app import RunningEmulator
from headgate_worker.process.settings import Settings
from headgate_worker.store.jobs import Store
from tests.worker.conftest import RunWorker, eventually
from tests.worker.notifications.receiver import Received, receiving, statuses
from tests.worker.scenarios.test_process import environment, process, ready
from tests.worker.submitting import backfill_job, seed_backfill, submit

pytestmark = pytest.mark.slow


def write(path: Path, url: str, rule: str, form: str = "slack") -> Path:
    path.write_text(
        f'[endpoints.ops]\nform = "{form}"\nurl = "{url}/services/T0K3N"\n[rules.r]\nendpoint = "ops"\n{rule}\n'
    )
    return path


async def test_a_backfill_that_fails_sends_one_message_to_slack(
    store: Store,
    redis: Redis,
    emulator: RunningEmulator,
    worker_settings: Settings,
    run_worker: RunWorker,
    tmp_path: Path,
) -> None:
    rule = """filter = 'kind = backfill AND labels.team = "orders"'\nstates = ["FAILED"]"""
    fault = {"kind": "fail_run", "name": "orders", "task_name": "load_orders", "log": "hunter2"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{emulator.url}/_admin/faults", json={"faults": [fault]}) as answer,
    ):
        answer.raise_for_status()
    async with receiving() as receiver:
        file = write(tmp_path / "notifications.toml", receiver.url, rule)
        async with run_worker(worker_settings.model_copy(update={"notifications": str(file)})) as address:

            async def leads() -> bool:
                return bool(await redis.exists(keys.NOTIFIED))

            await eventually(leads)
            jobs = [
                await submit(store, backfill_job(seed_backfill(name=name), labels={"team": name}))
                for name in ("orders", "sales")
            ]

            async def over() -> bool:
                found = [await store.load(job_id) for job_id in jobs]
                return all(job is not None and job.state in JOB_TERMINAL for job in found)

            await eventually(over)
            job = await store.load(jobs[0])
            assert job is not None and job.state == pb.JOB_STATE_FAILED
            await receiver.have(1)

            async def counted() -> bool:
                async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as answer:
                    page = await answer.text()
                return 'headgate_worker_notifications_total{endpoint="ops",outcome="delivered"} 1.0' in page

            await eventually(counted)
        lease_end = int(await redis.hget(keys.NOTIFIER, "until") or 0)  # type: ignore[misc]

    (found,) = receiver.requests
    assert found.path == "/services/T0K3N"
    assert list(found.said) == ["text"] and found.said["text"].startswith(f"jobs/{jobs[0]} (backfill, ): FAILED. ")
    assert "hunter2" not in found.said["text"]
    assert lease_end <= await store.now_ms(), "a worker that drains lets another one lead at once"


async def test_a_worker_that_is_killed_after_a_delivery_is_followed_by_one_that_tells_it_again(
    redis_server: RedisServer,
    redis: Redis,
    store: Store,
    emulator: RunningEmulator,
    credentials: None,
    tmp_path: Path,
) -> None:
    victims: list[int] = []

    async def reply(_: Received) -> web.Response:
        while victims:
            os.kill(victims.pop(), signal.SIGKILL)  # it has delivered, and can't have remembered
        return web.Response()

    async with receiving(reply) as receiver:
        file = write(tmp_path / "notifications.toml", receiver.url, 'events = ["ACCEPTED"]', "cloudevents")
        given = {**environment(redis_server, emulator), "HEADGATE_NOTIFICATIONS": str(file)}
        async with process(**given) as first:
            await ready(first)

            async def leads() -> bool:
                return bool(await redis.exists(keys.NOTIFIED))

            await eventually(leads)
            victims.append(first.pid)
            job_id = await submit(store, backfill_job(seed_backfill()))
            await receiver.have(1)
            assert await first.wait() == -signal.SIGKILL
            async with process(**given) as second:
                await ready(second)
                one, other = await receiver.have(2, seconds=40)
                assert second.stderr is not None
                second.send_signal(signal.SIGTERM)
                logged = (await second.stderr.read()).decode()

    assert one.said["id"] == other.said["id"] and one.said["subject"] == f"jobs/{job_id}"
    assert "T0K3N" not in logged


async def test_a_sample_of_each_rule_is_sent_without_a_store(tmp_path: Path) -> None:
    async with receiving(statuses(200, 403)) as receiver:
        file = write(tmp_path / "notifications.toml", receiver.url, 'states = ["FAILED"]')
        command = (sys.executable, "-m", "headgate_worker", "--test-notifications", str(file))
        found = []
        for _ in range(2):
            ran = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
            out, errors = await ran.communicate()
            found.append((ran.returncode, out.decode(), errors.decode()))

    assert found == [
        (0, "rule r to endpoint ops: delivered\n", ""),
        (1, "rule r to endpoint ops: status 403\n", ""),
    ]
    assert "a sample" in receiver.requests[0].said["text"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://127.0.0.1", "line 1, endpoints.ops: url has to be https://HOST"),
        ("http://192.0.2.1", "say HEADGATE_ALLOW_INSECURE=plaintext-webhook"),
    ],
)
async def test_a_file_that_makes_no_sense_stops_a_worker_at_its_start(
    redis_server: RedisServer, credentials: None, tmp_path: Path, url: str, said: str
) -> None:
    file = write(tmp_path / "notifications.toml", url, 'states = ["FAILED"]')
    given = {"HEADGATE_REDIS_URL": redis_server.url, "HEADGATE_NOTIFICATIONS": str(file)}
    async with process(**given) as worker:
        _, complaint = await worker.communicate()

    assert worker.returncode == 2, complaint
    assert said in complaint.decode() and "T0K3N" not in complaint.decode()
