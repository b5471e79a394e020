"""The morning's proof through everything: what a backfill did, what others did since, and the statement about both."""

from __future__ import annotations

import json

import aiohttp

from headgate import pb
from headgate_cli.dev.deployment import Deployment
from headgate_client import Client
from tests.cli.processes import headgate
from tests.e2e.test_seed_000 import deployment as deployment
from tests.e2e.test_tasks import add_fault
from tests.worker.submitting import days, seed_backfill


def between(first: str, last: str, **given: object) -> pb.BackfillSpec:
    """The seed's backfill over these dates, all of which may run at once."""
    spec = seed_backfill(on_failure=pb.ON_FAILURE_CONTINUE, **given)
    del spec.biz_dates[:]
    spec.biz_dates.extend(days(first, last))
    spec.default_run_properties.parallelism = 4
    return spec


async def at_the_console(deployment: Deployment, action: str, instance_id: int) -> None:
    """Somebody else does something to an instance."""
    body = {"action": action, "ids": [instance_id]}
    url = f"{deployment.endpoints.emulator}/_admin/foreign"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        answer.raise_for_status()


def kinds(report: pb.JobReport) -> list[str]:
    return [pb.ObjectionKind.Name(one.kind).removeprefix("OBJECTION_KIND_") for one in report.statement.objections]


async def test_the_morning_after_a_backfill(deployment: Deployment) -> None:
    target = deployment.endpoints.target
    await add_fault(deployment, kind="fail_run", biz_date="2025-02-06", task_name="load_orders")
    async with Client(target) as client:
        handle = await client.backfills.create(between("2025-02-05", "2025-02-08"), job_id="night")
        under_way = await headgate("fsck", "night", target=target)
        await handle.result(raise_on_failure=False)
        failed = await handle.report()
        await handle.retry()
        job = await handle.result()
        told = await handle.report(verify=True)
        proof = await headgate("report", "night", "--verify", "-o", "json", target=target)

        # Somebody runs one of the dates again by a backfill of the same name, and reruns another in the console.
        other = await client.backfills.create(between("2025-02-07", "2025-02-07"))
        foreign = await other.result()
        await at_the_console(deployment, "rerun", job.runs[0].workflow_instance_id)
        by_log = await handle.report()
        now = await handle.report(verify=True)
        shown = await headgate("report", "night", "--verify", target=target)
        store = await headgate("fsck", target=target)

    assert (under_way.status, under_way.out) == (0, "1 jobs checked, 0 findings\n")
    assert (store.status, store.out) == (0, "2 jobs checked, 0 findings\n")

    assert kinds(failed) == ["FAILED"]
    assert [day.day for day in failed.statement.objections[0].biz_dates] == [6]
    assert failed.dates[1].instances[0].failed_task == "load_orders"

    assert told.statement.holds, told.statement.text
    tries = [[(one.attempt, one.state, one.seen.status) for one in day.instances] for day in told.dates]
    once = [(1, pb.RUN_STATE_SUCCEEDED, "Success")]
    again = [(1, pb.RUN_STATE_FAILED, "Failure"), (2, pb.RUN_STATE_SUCCEEDED, "Success")]
    assert tries == [once, again, once, once]
    for one in (one for day in told.dates for one in day.instances):
        assert one.upstream_calls and one.HasField("took")
        assert one.started_by in (pb.STARTED_BY_HEADGATE, pb.STARTED_BY_UPSTREAM)
    assert [(note.type, note.actor) for note in told.notes] == [(pb.EVENT_TYPE_RETRY_REQUESTED, "anonymous")]
    assert proof.status == 0 and json.loads(proof.out)["statement"]["holds"] is True

    assert by_log.statement.holds  # the log knows nothing of what others did
    assert kinds(now) == ["RAN_TWICE", "FOREIGN_INSTANCE", "UPSTREAM_DISAGREES"]
    assert [[day.day for day in one.biz_dates] for one in now.statement.objections] == [[7], [7], [5]]
    assert now.dates[2].foreign_instances[0].workflow_instance_id == foreign.runs[0].workflow_instance_id
    assert shown.status == 1 and shown.out.splitlines()[-1].startswith("✘ not shown that each of 4 dates")


async def test_a_date_that_is_left_alone_counts_where_its_instance_succeeded(deployment: Deployment) -> None:
    async with Client(deployment.endpoints.target) as client:
        await (await client.backfills.create(between("2025-02-05", "2025-02-05"))).result()
        missing = between("2025-02-05", "2025-02-08", reprocess=pb.REPROCESS_MISSING_ONLY)
        handle = await client.backfills.create(missing)
        await handle.result()
        report = await handle.report(verify=True)

    assert report.statement.holds, report.statement.text
    assert "1 of them before this backfill" in report.statement.text
    assert (report.totals.left_alone, report.totals.succeeded_once, report.totals.instances) == (1, 4, 3)
