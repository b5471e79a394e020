"""Each cause of a wait is told where it applies."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate_server.jobs.explain import DEAD_MS, causes
from headgate_server.ports.facts import Facts

NOW_MS = 1_739_019_600_000


LIVELY = Facts(NOW_MS, NOW_MS - 1_000)


def kinds(facts: Facts = LIVELY, **members: Any) -> list[str]:
    members.setdefault("state", pb.JOB_STATE_RUNNING)
    found = causes(pb.Job(name="jobs/x", **members), facts)
    return [pb.CauseKind.Name(cause.kind).removeprefix("CAUSE_KIND_") for cause in found]


def test_one_in_line_is_told_for_whom_it_waits() -> None:
    taken = {"20250206": "b", "20250205": "a", "20250207": "a"}
    found = causes(pb.Job(name="jobs/x", state=pb.JOB_STATE_QUEUED), replace(LIVELY, taken=taken))

    assert [(cause.kind, cause.subject, cause.description) for cause in found] == [
        (pb.CAUSE_KIND_OVERLAP, "jobs/a", "waits for jobs/a, which has 2025-02-05 and 1 more dates"),
        (pb.CAUSE_KIND_OVERLAP, "jobs/b", "waits for jobs/b, which has 2025-02-06"),
    ]


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ({"state": pb.JOB_STATE_QUEUED}, ["QUEUE"]),
        ({"state": pb.JOB_STATE_PAUSED}, ["PAUSED"]),
        ({"state": pb.JOB_STATE_NEEDS_ATTENTION}, ["NEEDS_ATTENTION"]),
        ({}, ["RUNNING"]),
        ({"runs": [pb.InstanceRun(state=pb.RUN_STATE_BLOCKED, blocked_by_id=7)]}, ["PARENT_INSTANCE"]),
        (
            {
                "backfill": pb.BackfillSpec(max_attempts_per_date=2),
                "runs": [
                    pb.InstanceRun(
                        state=pb.RUN_STATE_FAILED,
                        workflow_instance_id=7,
                        attempt=1,
                        biz_date=dates.to_message(date(2025, 2, 5)),
                    )
                ],
            },
            ["RETRY"],
        ),
        (
            {"runs": [pb.InstanceRun(state=pb.RUN_STATE_RUNNING, upstream_status="WaitResource")]},
            ["UPSTREAM_RESOURCE"],
        ),
        ({"runs": [pb.InstanceRun(state=pb.RUN_STATE_RUNNING, upstream_status="WaitTime")]}, ["UPSTREAM_SCHEDULE"]),
        ({"operations": [pb.UpstreamOperation(outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)]}, ["RECONCILING"]),
        (
            {
                "operations": [pb.UpstreamOperation(outcome=pb.OPERATION_OUTCOME_NOT_SENT)],
                "runs": [pb.InstanceRun(state=pb.RUN_STATE_CREATING)],
            },
            ["UPSTREAM_FAILING"],
        ),
    ],
)
def test_each_cause_is_told_where_it_applies(members: dict[str, Any], wanted: list[str]) -> None:
    assert kinds(**members) == wanted


def test_a_survey_is_told_until_it_stands() -> None:
    spec = pb.BackfillSpec(reprocess=pb.REPROCESS_MISSING_ONLY)
    job = pb.Job(name="jobs/x", state=pb.JOB_STATE_RUNNING, backfill=spec, runs=[pb.InstanceRun()])

    assert "looked up upstream" in causes(job, LIVELY)[0].description
    job.survey_time.GetCurrentTime()
    assert "looked up upstream" not in causes(job, LIVELY)[0].description


def test_a_silent_worker_and_a_spent_quota_are_told() -> None:
    spent = {"frozen:write": str(NOW_MS + 60_000), "tat:read": str((NOW_MS + 5_000) * 1_000)}

    assert kinds(Facts(NOW_MS, NOW_MS - DEAD_MS, spent)) == ["WORKER_ABSENT", "QUOTA", "QUOTA"]
    assert kinds(Facts(NOW_MS, NOW_MS - DEAD_MS + 1, {"tat:read": str(NOW_MS * 1_000)})) == ["RUNNING"]


@pytest.mark.parametrize(("ago_ms", "wanted"), [(1_000, ["QUOTA"]), (60_000, ["RUNNING"])])
def test_a_short_queue_is_told_while_several_creators_share_it(ago_ms: int, wanted: list[str]) -> None:
    shared = {"tat:read": str((NOW_MS + 500) * 1_000), "several:read": str((NOW_MS - ago_ms) * 1_000)}

    assert kinds(Facts(NOW_MS, NOW_MS, shared)) == wanted


@pytest.mark.parametrize(
    ("mode", "asked"),
    [(pb.CANCEL_MODE_STOP, "everything is asked to stop"), (pb.CANCEL_MODE_DRAIN, "nothing more is started")],
)
def test_a_job_that_is_cancelled_tells_of_its_runs_and_not_of_parents(
    mode: pb.CancelMode.ValueType, asked: str
) -> None:
    runs = [
        pb.InstanceRun(index=0, state=pb.RUN_STATE_RUNNING, workflow_instance_id=7),
        pb.InstanceRun(index=1, state=pb.RUN_STATE_BLOCKED, workflow_instance_id=8, blocked_by_id=7),
        pb.InstanceRun(index=2, state=pb.RUN_STATE_SUCCEEDED, workflow_instance_id=6),
    ]
    cancel = pb.CancelRecord(mode=mode)
    job = pb.Job(name="jobs/x", state=pb.JOB_STATE_CANCELLING, runs=runs, cancel=cancel)

    first, *others = causes(job, LIVELY)

    assert first.description == f"the job is being cancelled: {asked}; 2 of 3 runs were not read ended yet"
    assert (first.kind, first.runs) == (pb.CAUSE_KIND_CANCEL, 2)
    assert [cause.kind for cause in others] == [pb.CAUSE_KIND_RUNNING]


def test_runs_behind_a_blocked_run_are_counted_also_where_some_wait_in_a_circle() -> None:
    blocked = pb.RUN_STATE_BLOCKED
    runs = [
        pb.InstanceRun(index=0, state=blocked, workflow_instance_id=7, blocked_by_id=5),
        pb.InstanceRun(index=1, state=blocked, workflow_instance_id=8, blocked_by_id=7),
        pb.InstanceRun(index=2, state=blocked, workflow_instance_id=9, blocked_by_id=8),
        pb.InstanceRun(index=3, state=blocked, workflow_instance_id=10, blocked_by_id=11),
        pb.InstanceRun(index=4, state=blocked, workflow_instance_id=11, blocked_by_id=10),
    ]

    found = causes(pb.Job(name="jobs/x", state=pb.JOB_STATE_RUNNING, runs=runs), LIVELY)

    assert [(one.parent_instance_id, one.runs) for one in found] == [(5, 3)]
