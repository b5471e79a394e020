"""Work that is planned and submitted, as processes against real servers."""

import json

import pytest

from headgate import pb
from tests.cli.processes import headgate, is_plain, run
from tests.client.scripted import Running
from tests.server.jobs.test_plan import planner
from tests.server.world import DAY, World

pytestmark = pytest.mark.slow


FLAGS = (
    *("--project-id", "257880", "--name", "seed", "--biz-dates", "2025-02-05..2025-02-06"),
    *("--root-task-ids", "1023697426", "--mode", "AllDownstream", "--parallelism", "1"),
    *("--reprocess", "MissingOnly"),
)


async def test_a_plan_is_shown_kept_and_refused_when_the_world_has_changed(world: World) -> None:
    with planner(world) as worker:
        worker.exists[DAY] = 7
        told = await run(world, "backfill", *FLAGS, "--plan")
        typed = await run(world, "backfill", *FLAGS, "--plan", "-o", "json")
        token = json.loads(typed.out)["planToken"]
        worker.exists.clear()
        refused = await run(world, "backfill", *FLAGS, "--plan-token", token)
        worker.exists[DAY] = 8
        kept = await run(world, "backfill", *FLAGS, "--plan-token", token)

    lines = [line.split() for line in told.out.splitlines()]
    assert lines[1:3] == [["2025-02-05", "1", "skip", "exists", "7"], ["2025-02-06", "1", "create"]]
    assert is_plain(told)
    assert (refused.status, refused.out) == (5, "")
    assert "(PLAN_CHANGED)" in refused.err and "2025-02-05" in refused.err
    assert kept.status == 0 and kept.out.startswith("jobs/")


BACKFILL = (
    *("backfill", "--project-id", "257880", "--name", "orders", "--biz-dates", "2025-02-05..2025-02-06"),
    *("--root-task-ids", "1023697426", "--mode", "AllDownstream", "--parallelism", "1", "--env-type", "Prod"),
)


async def test_a_backfill_becomes_the_request_that_its_flags_say(running: Running) -> None:
    done = await headgate(*BACKFILL, "--job-id", "orders-2025", "--label", "team=orders", target=running.target)

    request = running.script.calls[0][1]
    assert isinstance(request, pb.CreateBackfillRequest)
    assert done.status == 0
    assert done.out.startswith("jobs/orders-2025 ")
    assert "headgate watch orders-2025" in done.err
    assert request.job_id == "orders-2025" and request.request_id and request.options.labels["team"] == "orders"
    spec = request.spec
    assert (spec.project_id, spec.name, spec.env_type) == (257880, "orders", pb.ENV_TYPE_PROD)
    assert [(r.start_biz_date.day, r.end_biz_date.day) for r in spec.biz_dates] == [(5, 6)]
    properties = spec.default_run_properties
    assert properties.mode == pb.BACKFILL_MODE_ALL_DOWNSTREAM
    assert [*properties.root_task_ids] == [1023697426] and properties.parallelism == 1


async def test_a_spec_comes_from_stdin_and_flags_override_it(running: Running) -> None:
    text = json.dumps({"projectId": "1", "name": "old", "comment": "kept", "bizDates": []})

    done = await headgate("backfill", "--spec", "-", "--name", "new", "-o", "json", target=running.target, stdin=text)

    request = running.script.calls[0][1]
    assert isinstance(request, pb.CreateBackfillRequest)
    assert (request.spec.name, request.spec.comment) == ("new", "kept")
    assert json.loads(done.out)["name"] == "jobs/0"
