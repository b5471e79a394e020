"""What a verification asks upstream, and what it waits out."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate.reasons import Reason
from headgate_server.errors import status
from headgate_server.errors.exceptions import Refused
from headgate_server.reports import verifier
from tests.server.reports.logs import row
from tests.server.reports.streams import answering, ask, kinds, read, succeeded
from tests.server.world import World


async def test_every_date_is_searched_and_what_a_search_leaves_out_is_read(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.listed = {"2025-02-05": [row(11)]}
        upstream.instances = {12: row(12, index=1)}

        report, progress = await read(ask(world, job_id, verify=True))

    assert report.statement.holds and report.statement.basis == pb.REPORT_BASIS_UPSTREAM
    assert sorted(upstream.asked) == ["GetWorkflowInstance", "ListWorkflowInstances", "ListWorkflowInstances"]
    assert report.verification.reads == 3
    assert (progress[0].dates_total, progress[0].dates_done) == (2, 0)


async def test_names_that_only_begin_alike_are_no_instances_of_the_backfill(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        other = row(99)
        other.name = "orders-of-somebody-else"
        upstream.listed = {"2025-02-05": [row(11), other], "2025-02-06": [row(12, index=1)]}

        report, _ = await read(ask(world, job_id, verify=True))

    assert report.statement.holds


async def test_an_instance_that_upstream_has_no_more_is_not_verified(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.listed = {"2025-02-05": [row(11)]}

        report, _ = await read(ask(world, job_id, verify=True))

    assert kinds(report) == ["NOT_VERIFIED"]
    assert "has no instance 12 any more" in report.statement.objections[0].description


async def test_a_read_that_may_succeed_later_is_waited_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "LEAST_WAIT", 0.05)
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.listed = {"2025-02-05": [row(11)], "2025-02-06": [row(12, index=1)]}
        upstream.refusals = [status.describe(Refused(Reason.UPSTREAM_QPS, "slow down", retry_seconds=0.6))] * 2

        report, progress = await read(ask(world, job_id, verify=True))

    assert report.statement.holds
    assert any("UPSTREAM_QPS" in one.waiting_for for one in progress)


async def test_a_read_that_upstream_refuses_is_told_of_its_date(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.listed = {"2025-02-05": [row(11)], "2025-02-06": [row(12, index=1)]}
        upstream.refusals = [status.describe(Refused(Reason.UPSTREAM_REFUSED, "not yours"))]

        report, _ = await read(ask(world, job_id, verify=True))

    assert kinds(report) == ["NOT_VERIFIED"]
    assert report.statement.objections[0].description == "UPSTREAM_REFUSED: not yours"
    assert report.verification.dates_verified == 1


async def test_a_deadline_brings_the_report_with_what_was_verified_until_then(world: World) -> None:
    job_id = await succeeded(world)
    async with answering(world) as upstream:
        upstream.is_silent = True

        report, _ = await read(ask(world, job_id, verify=True, timeout=2.5))

    assert kinds(report) == ["NOT_VERIFIED"]
    assert report.verification.dates_not_verified == 2
