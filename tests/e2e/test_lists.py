"""Lists of workflow instances through everything: dates with holes between, stable pages, exact names, statuses."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import aiohttp
import pytest

from headgate import pb
from headgate.backfill import dates
from headgate_cli.dev.deployment import Deployment
from headgate_client import Client, HeadgateError
from tests.e2e.test_seed_000 import deployment as deployment
from tests.e2e.test_tasks import add_fault

pytestmark = pytest.mark.slow

PROJECT = 257880
DAYS = ("2025-02-03", "2025-02-05", "2025-02-06")
"""Two ranges with a hole between them."""


async def schedule(deployment: Deployment, *made: tuple[str, str], **fields: Any) -> None:
    """Let the scheduler make instances, by name and date."""
    orders = [{"project_id": PROJECT, "name": name, "biz_date": day, **fields} for name, day in made]
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{deployment.endpoints.emulator}/_admin/instances", json={"scheduled": orders}) as answer,
    ):
        answer.raise_for_status()


def wanted(**fields: Any) -> pb.ListWorkflowInstancesRequest:
    """A list of those days."""
    ranges = dates.to_ranges([date.fromisoformat(day) for day in DAYS])
    assert len(ranges) == 2
    return pb.ListWorkflowInstancesRequest(project_id=PROJECT, biz_dates=ranges, **fields)


def shown(rows: list[pb.WorkflowInstance]) -> list[tuple[str, str]]:
    """Names and dates."""
    return [(row.name, dates.from_message(row.biz_date).isoformat()) for row in rows]


async def test_rows_that_are_there_all_the_time_are_shown_once_while_others_come(deployment: Deployment) -> None:
    there = [(f"nightly {number}", day) for day in DAYS for number in range(5)]
    await schedule(deployment, *there, ("nightly", "2025-02-04"), ("nightly", "2025-02-07"))
    request, rows = wanted(page_size=2), list[pb.WorkflowInstance]()
    async with Client(deployment.endpoints.target) as client:
        for turn in range(40):
            page = await client.workflow_instances.list_page(request)
            assert len(page.workflow_instances) <= 2
            rows += page.workflow_instances
            request.page_token = page.next_page_token
            if not request.page_token:
                break
            if turn < 5:
                await schedule(deployment, *((f"late {turn}", day) for day in DAYS))

    assert len({row.id for row in rows}) == len(rows)
    assert [one for one in shown(rows) if one in there] == there
    assert [row.biz_date_millis for row in rows] == sorted(row.biz_date_millis for row in rows)


async def test_names_match_exactly_when_that_is_asked(deployment: Deployment) -> None:
    await schedule(deployment, *((name, day) for day in DAYS for name in ("orders", "orders 2", "my orders", "Orders")))
    async with Client(deployment.endpoints.target) as client:
        like = [row async for row in client.workflow_instances.list(wanted(name="orders"))]
        exact = [
            row async for row in client.workflow_instances.list(wanted(name="orders", exact_name=True, page_size=1))
        ]

    assert {("orders", day) for day in DAYS} < set(shown(like))
    assert {"orders 2", "my orders"} <= {row.name for row in like}
    assert shown(exact) == [("orders", day) for day in DAYS]


async def test_only_the_statuses_that_are_asked_for_are_shown(deployment: Deployment) -> None:
    await schedule(deployment, ("waits", DAYS[0]), starts=False)
    await schedule(deployment, ("runs", DAYS[0]), ("runs", DAYS[2]))
    not_run = wanted(statuses=[pb.WORKFLOW_INSTANCE_STATUS_NOT_RUN])
    begun = wanted(statuses=[pb.WORKFLOW_INSTANCE_STATUS_RUNNING, pb.WORKFLOW_INSTANCE_STATUS_SUCCESS])
    async with Client(deployment.endpoints.target) as client:
        waiting = [row async for row in client.workflow_instances.list(not_run)]
        running = [row async for row in client.workflow_instances.list(begun)]

    assert shown(waiting) == [("waits", DAYS[0])]
    assert shown(running) == [("runs", DAYS[0]), ("runs", DAYS[2])]


async def test_dates_that_cannot_be_read_are_named_where_that_is_wanted(deployment: Deployment) -> None:
    await schedule(deployment, *(("orders", day) for day in DAYS))
    await add_fault(deployment, kind="error_reply", action="ListWorkflowInstances", code="InvalidParameter", status=400)
    async with Client(deployment.endpoints.target) as client, asyncio.timeout(20):
        page = await client.workflow_instances.list_page(wanted(return_partial_success=True))

    assert shown(list(page.workflow_instances)) == [("orders", day) for day in DAYS[1:]]
    assert list(page.unreachable) == [DAYS[0]]


async def test_a_list_is_narrowed_by_workflow_owner_and_tags(deployment: Deployment) -> None:
    await schedule(deployment, ("hourly", DAYS[0]), ("hourly", DAYS[1]), workflow_id=7)
    await schedule(deployment, ("daily", DAYS[0]), workflow_id=8)
    async with Client(deployment.endpoints.target) as client:

        async def listed(**fields: Any) -> list[pb.WorkflowInstance]:
            return list((await client.workflow_instances.list_page(wanted(**fields))).workflow_instances)

        hourly = await listed(workflow_id=7)
        assert shown(hourly) == [("hourly", DAYS[0]), ("hourly", DAYS[1])]
        assert shown(await listed(unified_workflow_instance_id=hourly[1].id)) == [("hourly", DAYS[1])]
        assert len(await listed(owner=hourly[0].owner)) == 3
        assert await listed(owner="somebody else") == []
        assert await listed(tags=["team:"]) == []
        with pytest.raises(HeadgateError) as refused:
            await listed(tags=["team"])
    assert [found.subject for found in refused.value.field_violations] == ["tags[0]"]
