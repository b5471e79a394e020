"""EnOS through everything: gRPC, server, Redis, worker and emulator; and by the command line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from headgate import pb
from headgate_cli.dev.redis_server import RedisServer
from headgate_client import Client, HeadgateError
from headgate_emulator.app import RunningEmulator, serve
from headgate_emulator.enos.world import Trigger
from headgate_emulator.faults import FailRun
from headgate_emulator.settings import Settings as EmulatorSettings
from headgate_server import app as server_app
from headgate_server.process.settings import Settings as ServerSettings
from headgate_worker import app as worker_app
from headgate_worker.process.settings import Settings as WorkerSettings
from tests.architecture.repository import ROOT, SOURCE_ROOTS
from tests.worker.upstream.enos.samples import FIRST_ID, SECOND_ID, SECOND_PRINTED
from tests.worker.upstream.enos.test_graph import row_of

pytestmark = pytest.mark.slow

FILE = """
[connections.plant]
kind = "enos"
endpoint = "{url}"
generation = "v2.0"
user_id = "yourUserId"
org_id = "yourOrgId"
app_key_env = "PLANT_KEY"
app_secret_env = "PLANT_SECRET"
trigger_zone = "+08:00"
run_zone = "UTC"

[connections.lake]
kind = "dataworks"
endpoint = "{url}"
access_key_id_env = "PLANT_KEY"
access_key_secret_env = "PLANT_SECRET"
"""


@dataclass(frozen=True, slots=True)
class Deployment:
    emulator: RunningEmulator
    client: Client
    target: str

    async def command(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of a headgate command."""
        paths = ":".join(str(ROOT / folder) for folder in SOURCE_ROOTS)
        environ = {**os.environ, "PYTHONPATH": paths, "HEADGATE_TARGET": self.target}
        program = [sys.executable, "-m", "headgate_cli", *words]
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*program, env=environ, stdout=pipe, stderr=pipe)
        out, err = await child.communicate()
        return child.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def working(settings: WorkerSettings) -> AsyncIterator[None]:
    """A worker in this process."""
    stop, ready = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker_app.run(settings, stop=stop, ready=lambda _: ready.set()))
        waiting = group.create_task(ready.wait())
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        yield
        stop.set()


@pytest.fixture
async def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Deployment]:
    monkeypatch.setenv("PLANT_KEY", "testid")
    monkeypatch.setenv("PLANT_SECRET", "testsecret")
    quick = EmulatorSettings(listen="127.0.0.1:0")
    async with RedisServer(appendonly=True) as redis, serve(quick) as emulator:
        file = tmp_path / "connections.toml"
        file.write_text(FILE.format(url=emulator.url))
        url = redis.url
        worker = WorkerSettings(
            redis_url=SecretStr(url),
            ops_listen="127.0.0.1:0",
            connections=str(file),
            poll_min_seconds=0.05,
            poll_max_seconds=0.3,
            drain_seconds=1,
        )
        ports: Any = {"listen": "127.0.0.1:0", "ops_listen": "127.0.0.1:0"}
        async with server_app.running(ServerSettings(redis_url=url, drain_seconds=1.0, **ports)) as server:
            target = f"127.0.0.1:{server.grpc_port}"
            async with working(worker), Client(target) as client:
                yield Deployment(emulator, client, target)


def pace(emulator: RunningEmulator, seconds: float) -> None:
    """Let runs take so long from now on."""
    emulator.flows.rules = replace(emulator.flows.rules, run_seconds=seconds, cancel_seconds=0.1)


async def test_the_seeds_samples_are_served_field_for_field(deployment: Deployment) -> None:
    second = await deployment.client.flows.get(SECOND_ID, connection="plant")
    first = await deployment.client.flows.get(FIRST_ID, connection="plant")

    printed = row_of(SECOND_PRINTED)
    assert (second.instance_id, second.flow_id, second.flow_name) == (SECOND_ID, printed["flowId"], printed["flowName"])
    assert (second.trigger_time, second.start_time, second.end_time, second.timestamp, second.cal_dt) == tuple(
        printed[name] for name in ("triggerTime", "startTime", "endTime", "timestamp", "calDt")
    )
    assert second.status == pb.FLOW_INSTANCE_STATUS_SUCCESS
    assert second.graph.tasks[0].task_inst_id == "104890-20190808093200"
    assert second.trigger_time_utc.ToJsonString() == "2019-08-08T01:32:12Z"
    assert first.status == pb.FLOW_INSTANCE_STATUS_INIT


async def test_a_flow_is_triggered_and_another_cancelled_through_a_token_that_ends(deployment: Deployment) -> None:
    client, emulator = deployment.client, deployment.emulator
    pace(emulator, 1.0)
    await client.flows.get(SECOND_ID, connection="plant")
    handle = await client.flows.trigger(pb.TriggerFlowSpec(flow_id=2809), connection="plant")
    emulator.state.tokens.expire()
    job = await handle.result(30)
    assert (job.state, job.runs[0].upstream_status) == (pb.JOB_STATE_SUCCEEDED, "SUCCESS")

    pace(emulator, 600.0)
    spec = pb.TriggerFlowSpec(flow_id=2438, parameters=[pb.FlowParameter(key="day", value="x")])
    running = await client.flows.trigger(spec, until=pb.UNTIL_STARTED, connection="plant")
    instance_id = (await running.result(30)).runs[0].flow_instance_id
    cancelled = await (await client.flows.cancel(instance_id, connection="plant")).result(30)
    assert (cancelled.state, cancelled.runs[0].state) == (pb.JOB_STATE_SUCCEEDED, pb.RUN_STATE_STOPPED)

    fetched = [row for row in emulator.ledger if row.action.startswith("token.")]
    assert len(fetched) == 2, "the token was not renewed exactly once"
    assert sum(row.action == "flows.trigger" and row.applied for row in emulator.ledger) == 1


async def test_lists_logs_and_staleness(deployment: Deployment) -> None:
    client, emulator = deployment.client, deployment.emulator
    pace(emulator, 0.1)
    jobs = [
        await client.flows.trigger(pb.TriggerFlowSpec(flow_id=flow_id), connection="plant") for flow_id in (2809, 2438)
    ]
    ids = {(await job.result(30)).runs[0].flow_instance_id for job in jobs}
    request = pb.ListFlowInstancesRequest(type=pb.FLOW_INSTANCE_TYPE_MANUAL, page_size=1, connection="plant")
    request.from_trigger_time.FromSeconds(0)
    request.to_trigger_time.FromSeconds(4_000_000_000)

    assert {row.instance_id async for row in client.flows.list(request)} == ids
    log = await client.flows.task_log("104890-20190808093200", max_length=10, connection="plant")
    assert (log.truncated, len(log.log)) == (True, 10)

    before = emulator.ledger.total
    one = await client.flows.get(min(ids), max_staleness=timedelta(hours=1), connection="plant")
    assert one.status == pb.FLOW_INSTANCE_STATUS_SUCCESS
    assert emulator.ledger.total == before, "an answer that was fresh enough was read again"


async def test_what_goes_wrong_is_told(deployment: Deployment) -> None:
    client = deployment.client
    for instance_id, connection, reason in (
        ("1-1", "plant", "INSTANCE_UNKNOWN"),
        (SECOND_ID, "nowhere", "CONNECTION_UNKNOWN"),
        (SECOND_ID, "", "UPSTREAM_REFUSED"),
    ):
        with pytest.raises(HeadgateError) as caught:
            await client.flows.get(instance_id, connection=connection)
        assert caught.value.reason == reason

    job = await (await client.flows.trigger(pb.TriggerFlowSpec(flow_id=2809), connection="nowhere")).result(
        30, raise_on_failure=False
    )
    assert (job.state, "nowhere" in job.error.message) == (pb.JOB_STATE_FAILED, True)


async def test_instances_of_any_job_or_none_are_watched(deployment: Deployment) -> None:
    client, emulator = deployment.client, deployment.emulator
    pace(emulator, 2.5)
    wish = Trigger(flow_id=2809, trigger_ms=emulator.clock.now_ms())
    instance_id = emulator.flows.trigger(wish, emulator.clock.now_ms())

    async def statuses() -> dict[str, list[str]]:
        told: dict[str, list[str]] = {instance_id: [], SECOND_ID: []}  # which of the two comes first is not promised
        async with client.flows.watch([instance_id, SECOND_ID], connection="plant") as changes:
            async for change in changes:
                if change.HasField("flow_instance"):
                    told[change.flow_instance.instance_id].append(change.flow_instance.status_desc)
        return told

    async with asyncio.timeout(20):
        first, second = await asyncio.gather(statuses(), statuses())
    assert first == second == {instance_id: ["RUNNING", "SUCCESS"], SECOND_ID: ["SUCCESS"]}
    with pytest.raises(HeadgateError, match="1-1"):
        async with client.flows.watch(["1-1"], connection="plant") as changes:
            await anext(changes)


async def test_the_same_by_the_command_line(deployment: Deployment) -> None:
    pace(deployment.emulator, 0.3)
    plant = ("--connection", "plant")

    status, out, err = await deployment.command("flow", "trigger", "2809", "--wait", *plant)
    assert (status, "succeeded" in out) == (0, True), out + err
    instance_id = next(one.id for one in deployment.emulator.flows.instances if not one.past)

    pace(deployment.emulator, 600)
    status, out, err = await deployment.command("flow", "trigger", "2438", "--until", "Started", "--wait", *plant)
    assert status == 0, out + err
    other_id = deployment.emulator.flows.instances[-1].id
    status, out, err = await deployment.command("flow", "cancel", other_id, "--wait", *plant)
    assert (status, "stopped" in out) == (0, True), out + err

    done = await asyncio.gather(
        deployment.command("flow", "get", instance_id, *plant),
        deployment.command(
            "flow", "list", "--days", "2019-01-01..2099-01-01", "--type", "Manual", *plant, "-o", "json"
        ),
        deployment.command("flow", "logs", "104890-" + instance_id.partition("-")[2], *plant),
        deployment.command("flow", "watch", instance_id, other_id, *plant),
    )
    assert [status for status, _, _ in done] == [0, 0, 0, 0], done
    shown, listed, logged, watched = (out for _, out, _ in done)
    assert "SUCCESS" in shown and "tass" in shown
    assert {row["instanceId"] for row in json.loads(listed)["flowInstances"]} == {instance_id, other_id}
    assert "begins" in logged
    assert f"{other_id} rew CANCEL" in watched


async def test_a_failed_flow_tells_its_task_and_the_end_of_its_log(deployment: Deployment) -> None:
    client, emulator = deployment.client, deployment.emulator
    pace(emulator, 0.2)
    emulator.faults.add([FailRun(log="no such stream\n" * 2_000)])
    job = await client.flows.trigger(pb.TriggerFlowSpec(flow_id=2809), connection="plant")
    async for _ in job.watch():
        pass
    done = await job.refresh()

    digest = done.runs[0].failure_digest
    assert (done.state, done.runs[0].state) == (pb.JOB_STATE_FAILED, pb.RUN_STATE_FAILED)
    assert digest.flow_task_instance_id and digest.task_name
    assert digest.truncated and "no such stream" in digest.log_tail
    assert 4_000 < len(digest.log_tail.encode()) <= 4_096
