"""Seed 000 through everything: client, server, Redis, worker, adapter, emulator; and what must never get that far."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from headgate import pb
from headgate_cli.dev.deployment import Deployment, DeploymentOptions
from headgate_client import Client, HeadgateError
from headgate_client.watch.items import EndItem, EventItem, SnapshotItem
from tests.worker.submitting import days, seed_backfill

pytestmark = pytest.mark.slow

SEED_COMMANDS: list[tuple[str, dict[str, Any]]] = [
    (
        "CreateWorkflowInstances",
        {
            "DefaultRunProperties": {
                "Analysis": {"Enabled": False, "Blocked": False},
                "Parallelism": 1,
                "RootTaskIds": [1023697426],
                "Mode": "AllDownstream",
            },
            "EnvType": "Prod",
            "ProjectId": 257880,
            "WorkflowId": 5188541262300189362,
            "Name": "devinTestSparkSQL20run1",
            "Periods": {"BizDates": [{"StartBizDate": "2025-02-05", "EndBizDate": "2025-02-06"}]},
            "Type": "SupplementData",
        },
    ),
    ("StartWorkflowInstances", {"Ids": [1000341554601, 1000341554605]}),
    ("GetWorkflowInstance", {"Id": 1000341554601}),
    ("GetWorkflowInstance", {"Id": 1000341554605}),
]
"""The seed's commands but the one whose operation id is fresh every time; values as JSON reads them."""


@pytest.fixture
async def deployment() -> AsyncIterator[Deployment]:
    settings = {
        "HEADGATE_EMULATOR_RUN_SECONDS": "0.5",
        "HEADGATE_EMULATOR_CREATE_SECONDS": "0.1",
        "HEADGATE_POLL_MIN_SECONDS": "0.1",
    }
    lines: list[str] = []
    async with Deployment(DeploymentOptions(environment=settings), lambda name, line: lines.append(line)) as found:
        yield found


async def ledger(deployment: Deployment) -> list[dict[str, Any]]:
    """What the emulator was asked, oldest first."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{deployment.endpoints.emulator}/_admin/ledger") as answer,
    ):
        rows: list[dict[str, Any]] = (await answer.json())["rows"]
        return rows


def plain(params: dict[str, str]) -> dict[str, Any]:
    """Parameters with their JSON read; AutoStartEnabled, which the seed leaves to a default, is always said."""
    read = {name: json.loads(value) if _is_json(value) else value for name, value in params.items()}
    read.pop("AutoStartEnabled", None)
    return read


def _is_json(value: str) -> bool:
    return value[:1] in "[{" or value.isdecimal()


async def test_the_session_of_the_seed(deployment: Deployment) -> None:
    async with Client(deployment.endpoints.target) as client:
        job = await client.backfills.create(seed_backfill())
        items = [item async for item in job.watch(start_revision=1)]
        done = await job.refresh()
        seen = [await client.workflow_instances.get(run.workflow_instance_id) for run in done.runs]

    assert done.state == pb.JOB_STATE_SUCCEEDED
    assert not [item for item in items if isinstance(item, SnapshotItem)]
    revisions = [item.revision for item in items if isinstance(item, EventItem)]
    assert revisions == list(range(1, done.revision + 1))
    assert isinstance(items[-1], EndItem)
    blocked = [run for item in items if isinstance(item, EventItem) for run in item.event.runs if run.blocked_by_id]
    assert {(run.workflow_instance_id, run.blocked_by_id) for run in blocked} == {(1000341554605, 1000341554601)}
    assert [row.status_raw for row in seen] == ["Success", "Success"]
    assert [row.biz_date_millis for row in seen] == [1738684800000, 1738771200000]

    asked = [(row["action"], plain(row["params"])) for row in await ledger(deployment)]
    for command in SEED_COMMANDS:
        assert command in asked, command
    result = ("GetCreateWorkflowInstancesResult", {"OperationId": done.operations[0].operation_id})
    assert result in [(action, params) for action, params in asked]
    order = [action for action, _ in asked]
    firsts = [order.index(action) for action in dict.fromkeys(order)]
    assert list(dict.fromkeys(order)) == [
        "CreateWorkflowInstances",
        "GetCreateWorkflowInstancesResult",
        "GetWorkflowInstance",
        "StartWorkflowInstances",
    ], firsts
    assert order.count("CreateWorkflowInstances") == order.count("StartWorkflowInstances") == 1


def broken(**fields: Any) -> pb.BackfillSpec:
    """The seed's backfill with something wrong about it."""
    spec = seed_backfill()
    for name, value in fields.items():
        spec.ClearField(name)  # type: ignore[arg-type]
        spec.MergeFrom(pb.BackfillSpec(**{name: value}))
    return spec


def properties(**fields: Any) -> pb.DefaultRunProperties:
    """Run properties of the seed with something wrong about them."""
    base: dict[str, Any] = {"mode": pb.BACKFILL_MODE_ALL_DOWNSTREAM, "parallelism": 1, "root_task_ids": [1023697426]}
    return pb.DefaultRunProperties(**{**base, **fields})


BAD: list[tuple[str, pb.BackfillSpec]] = [
    ("spec.default_run_properties.parallelism", broken(default_run_properties=properties(parallelism=0))),
    ("spec.default_run_properties.parallelism", broken(default_run_properties=properties(parallelism=11))),
    ("spec.default_run_properties.root_task_ids", broken(default_run_properties=properties(root_task_ids=[]))),
    ("spec.default_run_properties.root_task_ids", broken(default_run_properties=properties(root_task_ids=[1, 2]))),
    ("spec.default_run_properties.root_task_ids[0]", broken(default_run_properties=properties(root_task_ids=[-1]))),
    ("spec.biz_dates", broken(biz_dates=days("2005-01-01", "2026-11-28"))),
    ("spec.biz_dates[0].end_biz_date", broken(biz_dates=days("2025-02-06", "2025-02-05"))),
    ("spec.name", broken(name="n" * 800_000)),
    ("spec.name", broken(name="a\x00b")),
    ("spec.name", broken(name="a\nb")),
    ("spec.project_id", broken(project_id=-257880)),
]


async def test_bad_input_names_its_field_and_reaches_nothing(deployment: Deployment) -> None:
    async with Client(deployment.endpoints.target) as client:
        for field, spec in BAD:
            with pytest.raises(HeadgateError) as refused:
                await client.backfills.create(spec)
            assert refused.value.reason == "FIELD_INVALID", field
            assert field in [violation.subject for violation in refused.value.field_violations], refused.value
        assert not [job async for job in client.jobs.list()]

    assert not await ledger(deployment)
