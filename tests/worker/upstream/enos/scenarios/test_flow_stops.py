"""Who started and who stopped a flow instance. EnOS has a status for a cancel, and names nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate import pb
from headgate_emulator.enos.world import Trigger
from headgate_worker.core.model.calls import StopRecord
from headgate_worker.core.model.flow_calls import CancelFlow, GetFlowTaskLog
from headgate_worker.core.model.view import Policy
from tests.worker.core.rules.flow.test_flows import START_MS, Drive, Loss, cancel_job, lose, trigger_job


def running(loss: Loss | None = None) -> Drive:
    """A triggered flow that runs for an hour."""
    drive = Drive(trigger_job(), policy=Policy(digest_ms=8_000))
    drive.loss = loss or drive.loss
    drive.world.rules = replace(drive.world.rules, run_seconds=3600)
    drive.run(lambda one: one.job.runs[0].state == pb.RUN_STATE_RUNNING)
    return drive


def told(drive: Drive) -> tuple[int, int, int, str]:
    """State, starter and stopper of the run, once the job has ended."""
    run = drive.run().runs[0]
    assert not drive.sent(GetFlowTaskLog)
    return run.state, run.started_by, run.stopped_by, run.stopped_by_job


@pytest.mark.parametrize("lost", ["", "reply"])
def test_what_the_jobs_own_cancel_has_stopped_is_told_as_that(lost: str) -> None:
    drive = running(lose(CancelFlow, lost) if lost else None)
    drive.cancel()

    assert told(drive) == (pb.RUN_STATE_STOPPED, pb.STARTED_BY_HEADGATE, pb.STOPPED_BY_HEADGATE, "")


def test_what_another_job_has_cancelled_names_that_job() -> None:
    drive = running()
    drive.stops.append(StopRecord("jobs/other", drive.now_ms))
    drive.world.cancel(drive.job.runs[0].flow_instance_id, drive.now_ms)

    by = pb.STOPPED_BY_ANOTHER_JOB
    assert told(drive) == (pb.RUN_STATE_STOPPED, pb.STARTED_BY_HEADGATE, by, "jobs/other")
    assert drive.job.state == pb.JOB_STATE_FAILED
    assert "stopped by jobs/other" in drive.job.error.message


def test_what_somebody_cancels_in_the_console_is_told_as_theirs() -> None:
    drive = running()
    drive.world.cancel(drive.job.runs[0].flow_instance_id, drive.now_ms)

    assert told(drive) == (pb.RUN_STATE_STOPPED, pb.STARTED_BY_HEADGATE, pb.STOPPED_BY_OPERATOR, "")


def test_a_cancel_job_has_stopped_its_instance_and_started_nothing() -> None:
    drive = Drive(cancel_job(""))
    instance_id = drive.world.trigger(Trigger(flow_id=2809, trigger_ms=START_MS), START_MS)
    drive.job = Drive(cancel_job(instance_id)).job

    by = pb.STOPPED_BY_HEADGATE
    assert told(drive) == (pb.RUN_STATE_STOPPED, pb.STARTED_BY_UNSPECIFIED, by, "")


def test_nobody_has_started_what_was_cancelled_before_it_began() -> None:
    drive = Drive(trigger_job())
    drive.run(lambda one: one.job.runs[0].state == pb.RUN_STATE_STARTING)
    drive.cancel()
    run = drive.run().runs[0]

    assert run.stopped_by == pb.STOPPED_BY_HEADGATE
    assert bool(run.started_by) is run.HasField("started_time")
