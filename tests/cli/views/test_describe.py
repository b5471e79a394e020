import io
import re
import time

import pytest
from rich.console import Console

from headgate import pb
from headgate.job.lifecycle import JOB_TRANSITIONS
from headgate_cli.views.describe import end_said, event_facts, failure_lines, forecast_line, run_line
from headgate_cli.views.live_job import LiveJob
from headgate_client import SnapshotItem


def run(
    state: pb.RunState.ValueType,
    status: str = "",
    blocked_by_id: int = 0,
    started_by: pb.StartedBy.ValueType = pb.STARTED_BY_UNSPECIFIED,
    attempt: int = 1,
) -> pb.InstanceRun:
    row = pb.InstanceRun(
        state=state,
        upstream_status=status,
        workflow_instance_id=1000341554605,
        blocked_by_id=blocked_by_id,
        started_by=started_by,
        attempt=attempt,
    )
    row.biz_date.year, row.biz_date.month, row.biz_date.day = 2025, 2, 6
    return row


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (run(pb.RUN_STATE_CREATED, "NotRun"), "created"),
        (run(pb.RUN_STATE_BLOCKED, "NotRun", blocked_by_id=7), "blocked: waits for parent 7"),
        (run(pb.RUN_STATE_RUNNING, "WaitResource"), "running: WaitResource"),
        (run(pb.RUN_STATE_RUNNING, "Running", started_by=pb.STARTED_BY_UPSTREAM), "running: started by DataWorks"),
        (run(pb.RUN_STATE_SUCCEEDED, "Success", attempt=2), "succeeded: attempt 2"),
    ],
)
def test_a_run_in_a_few_words(row: pb.InstanceRun, line: str) -> None:
    assert run_line(row) == f"2025-02-06 1000341554605 {line}"


def test_a_run_that_others_stopped_says_who() -> None:
    by_job = run(pb.RUN_STATE_STOPPED, "Failure")
    by_job.stopped_by, by_job.stopped_by_job = pb.STOPPED_BY_ANOTHER_JOB, "jobs/cleanup"
    by_person = run(pb.RUN_STATE_STOPPED, "Failure")
    by_person.stopped_by = pb.STOPPED_BY_OPERATOR

    assert run_line(by_job).endswith("stopped: Failure, stopped by jobs/cleanup")
    assert run_line(by_person).endswith("stopped: Failure, stopped by somebody else")


def test_what_was_found_out_about_an_end_is_told_with_it() -> None:
    failed = run(pb.RUN_STATE_FAILED, "Failure")
    failed.failure_digest.CopyFrom(pb.FailureDigest(task_instance_id=7, task_name="load\x1b", log_tail="a\nb\x07"))
    hollow = run(pb.RUN_STATE_SUCCEEDED, "Success")
    hollow.dry_run_tasks.extend(["load", "sum"])
    flow = pb.InstanceRun(flow_instance_id="2809-1", state=pb.RUN_STATE_FAILED)
    flow.failure_digest.CopyFrom(pb.FailureDigest(flow_task_instance_id="1-2", task_name="t", log_tail="x"))

    assert run_line(failed) == "2025-02-06 1000341554605 failed: task load\\x1b failed"
    assert run_line(hollow) == "2025-02-06 1000341554605 succeeded: did nothing by dry run: load, sum"
    assert [*failure_lines(pb.Job(runs=[failed, hollow, flow]))] == [
        "2025-02-06 load\\x1b (7) ended its log with:",
        "    a",
        "    b\\x07",
        "2809-1 t (1-2) ended its log with:",
        "    x",
    ]


def test_an_event_says_nothing_twice() -> None:
    operation = pb.UpstreamOperation(
        action="CreateWorkflowInstances", outcome=pb.OPERATION_OUTCOME_ACCEPTED, operation_id="d860"
    )
    row = run(pb.RUN_STATE_RUNNING, "Running")

    accepted = pb.JobEvent(message="CreateWorkflowInstances accepted", operations=[operation])
    running = pb.JobEvent(message="instance 1000341554605 is Running", runs=[row])

    assert event_facts(accepted) == ["CreateWorkflowInstances accepted d860"]
    assert event_facts(running) == ["2025-02-06 1000341554605 running"]


@pytest.mark.parametrize("kind", pb.EventType.values())
def test_an_event_of_any_kind_says_something_even_where_it_was_recorded_without_a_sentence(
    kind: pb.EventType.ValueType,
) -> None:
    for before, others in JOB_TRANSITIONS.items():
        for state in (before, *others):
            bare = pb.JobEvent(type=kind, state=state, job=pb.Job(start=pb.StartWorkflowInstancesSpec()))
            rows = pb.JobEvent(type=kind, state=state, runs=[run(pb.RUN_STATE_CREATED, "NotRun")])

            assert all(event_facts(bare)) and event_facts(bare)
            assert "2025-02-06 1000341554605 created" in event_facts(rows)


def half_done() -> pb.Job:
    """A date a minute, one after the other; ten have run and ten are left."""
    job = pb.Job(name="jobs/x", state=pb.JOB_STATE_RUNNING, backfill=pb.BackfillSpec())
    job.backfill.default_run_properties.parallelism = 1
    for index in range(20):
        row = job.runs.add(index=index, attempt=1, state=pb.RUN_STATE_SUCCEEDED if index < 10 else pb.RUN_STATE_PLANNED)
        if index < 10:
            row.started_time.FromSeconds(1_738_980_000 + 60 * index)
            row.finished_time.FromSeconds(1_738_980_060 + 60 * index)
    return job


def test_an_end_is_told_twice_and_in_short_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    job = half_done()
    now = 1_738_980_600.0

    assert re.fullmatch(r"done about 10:20:\d\d, by 10:2[1-3]:\d\d in nine of ten cases", end_said(job, now, 80))
    assert re.fullmatch(r"done about 10:20:\d\d, or 10:2[1-3]:\d\d", end_said(job, now, 40))
    assert end_said(pb.Job(state=pb.JOB_STATE_RUNNING), now, 80) == ""

    found = pb.JobForecast(left_dates=10, succeeded_dates=9)
    found.p50_end_time.FromSeconds(1_738_980_600)
    found.p90_end_time.FromSeconds(1_738_980_600 + 2_700)
    told = "; 10 dates left, by 9 that succeeded"
    assert forecast_line(found) == f"done about 2025-02-08 10:10, by 10:55 at the latest in nine of ten cases{told}"
    found.p90_end_time.FromSeconds(1_738_980_600 + 86_400)
    assert "by 2025-02-09 10:10 at the latest" in forecast_line(found)


def test_the_live_picture_tells_when_it_will_be_over() -> None:
    picture = LiveJob()
    picture.show(SnapshotItem(job=half_done(), revision=1), half_done())
    console = Console(width=80, record=True, file=io.StringIO())

    console.print(picture)

    assert "done about" in console.export_text()
