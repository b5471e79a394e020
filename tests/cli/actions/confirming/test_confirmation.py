"""A person is asked before something that can't be taken back; a script is not."""

import json
import signal

import pytest

from headgate import pb
from headgate_cli.process.exit_codes import INTERRUPTED
from tests.cli.processes import headgate
from tests.cli.terminal import at_terminal
from tests.server.jobs.test_retry import ended
from tests.server.world import World

pytestmark = pytest.mark.slow


async def test_a_person_is_asked_before_a_job_ends_and_may_say_no(world: World) -> None:
    await world.submit(job_id="first")

    declined, text = await at_terminal(world.address, "n\n", "cancel", "first")
    assert declined == INTERRUPTED and "End first?" in text and "nothing was done" in text
    assert "jobs/first is queued" in text and "without an instance, and getting none: 2 dates, " in text
    assert (await world.worker.load("first")).state == pb.JOB_STATE_QUEUED
    interrupted, _ = await at_terminal(world.address, "\x03", "cancel", "first")
    assert interrupted in (1, INTERRUPTED, -signal.SIGINT)
    assert (await world.worker.load("first")).state == pb.JOB_STATE_QUEUED
    agreed, _ = await at_terminal(world.address, "y\n", "cancel", "first")
    assert agreed == 0 and (await world.worker.load("first")).state == pb.JOB_STATE_CANCELLING


async def test_a_person_is_asked_before_a_job_is_deleted_unless_told_not_to(world: World) -> None:
    for name in ("one", "two", "three"):
        await world.submit(job_id=name)
        await world.worker.finish(name)

    declined, text = await at_terminal(world.address, "\n", "jobs", "delete", "one")
    told, shown = await at_terminal(world.address, "", "jobs", "delete", "two", "--yes")
    piped = await headgate("jobs", "delete", "three", target=world.address)
    left = json.loads((await headgate("jobs", "list", "-o", "json", target=world.address)).out)

    assert declined == INTERRUPTED and "Delete one and its log?" in text and "revisions is deleted" in text
    assert told == 0 and "[y/N]" not in shown
    assert piped.status == 0 and "[y/N]" not in piped.out + piped.err
    assert [job["name"] for job in left["jobs"]] == ["jobs/one"]


async def test_a_person_is_told_which_dates_a_retry_runs_and_a_script_is_not_asked(world: World) -> None:
    job = await ended(world, pb.RUN_STATE_STOPPED, pb.RUN_STATE_FAILED)
    failed = f"{job.runs[1].biz_date.year}-{job.runs[1].biz_date.month:02}-{job.runs[1].biz_date.day:02}"

    declined, text = await at_terminal(world.address, "n\n", "jobs", "retry", job.name, "--failed")
    assert declined == INTERRUPTED and f"run again, each in a new instance: 1 date, {failed}" in text
    both = await headgate("jobs", "retry", job.name, "--failed", "--biz-dates", failed, target=world.address)
    assert both.status == 2 and "--failed" in both.err
    piped = await headgate("jobs", "retry", job.name, "--failed", "-o", "json", target=world.address)
    assert piped.status == 0 and "[y/N]" not in piped.out + piped.err
    runs = (await world.worker.load(job.name.removeprefix("jobs/"))).runs
    assert [pb.RunState.Name(run.state) for run in runs] == ["RUN_STATE_STOPPED", "RUN_STATE_PLANNED"]
