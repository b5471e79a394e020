"""`headgate report` as a process, against a real server and a real Redis."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate import pb
from headgate_cli.dev.redis_server import RedisServer
from tests.cli.processes import ESCAPE, headgate
from tests.server.reports.logs import row
from tests.server.reports.streams import answering, succeeded
from tests.server.world import World, serving


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with RedisServer() as redis, serving(redis.url) as found:
        yield found


async def test_the_exit_status_says_whether_the_statement_holds(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.listed = {"2025-02-05": [row(11)], "2025-02-06": [row(12, index=1)]}
        shown = await headgate("report", job_id, "--verify", target=world.address)
        upstream.listed["2025-02-06"] = [row(12, "Failure", 1)]
        denied = await headgate("jobs", "report", f"jobs/{job_id}", "--verify", "-o", "json", target=world.address)

    assert (shown.status, shown.err) == (0, "")
    assert shown.out.splitlines()[-1].startswith("✔ each of 2 dates succeeded exactly once; upstream was asked")
    assert ESCAPE not in shown.out
    report = json.loads(denied.out)
    assert denied.status == 1
    assert [one["kind"] for one in report["statement"]["objections"]] == ["OBJECTION_KIND_UPSTREAM_DISAGREES"]


async def test_what_is_no_backfill_and_what_makes_no_sense_is_said(world: World) -> None:
    start = pb.StartWorkflowInstancesRequest(job_id="start-5", spec=pb.StartWorkflowInstancesSpec(ids=[5]))
    await world.instances.StartWorkflowInstances(start)

    other = await headgate("report", "start-5", target=world.address)
    hasty = await headgate("report", "start-5", "--timeout", "1m", target=world.address)
    absent = await headgate("report", "nothing", target=world.address)

    assert (other.status, other.out) == (5, "") and "is no backfill" in other.err
    assert hasty.status == 2 and hasty.err.startswith("headgate: --timeout:")
    assert absent.status == 4


async def test_a_report_is_written_to_a_file_whole(world: World, tmp_path: Path) -> None:
    job_id = await succeeded(world)
    target = tmp_path / "orders.html"

    done = await headgate("report", job_id, "-o", "html", "--file", str(target), target=world.address)
    lines = await headgate("report", job_id, "-o", "csv", target=world.address)
    nowhere = await headgate("report", job_id, "--file", str(tmp_path / "no" / "x"), target=world.address)

    assert (done.status, done.out) == (0, "")
    assert done.err.splitlines()[1].startswith("headgate: ✔ each of 2 dates")
    assert target.read_text().startswith("<!doctype html>")
    assert os.listdir(tmp_path) == ["orders.html"]
    assert lines.out.splitlines()[0].startswith("biz_date,") and len(lines.out.splitlines()) == 3
    assert nowhere.status == 2 and "there is no folder" in nowhere.err
