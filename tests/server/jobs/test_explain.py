"""ExplainJob: every job that has not ended has a cause, and each cause is told where it applies."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.backfill import dates
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.process import wait_bounds
from headgate.process.wait_bounds import WaitBounds
from headgate.quota import limits as quota_limits
from headgate.store import keys
from headgate_server.jobs.causes import MOST_RUNS
from headgate_server.jobs.explain import DEAD_MS, UNSERVED_MS, causes, state_since_ms
from headgate_server.ports.facts import Facts
from tests.server.world import World

NOW_MS = 1_739_019_600_000
LIVELY = Facts(NOW_MS, NOW_MS - 1_000)

JOB_STATES = st.sampled_from([state for state in pb.JobState.values() if state])
RUNS = st.builds(
    pb.InstanceRun,
    state=st.sampled_from([state for state in pb.RunState.values() if state]),
    upstream_status=st.sampled_from(["", "Running", "WaitResource", "WaitTime"]),
    operation_index=st.integers(-1, 1),
)
OPERATIONS = st.builds(pb.UpstreamOperation, outcome=st.sampled_from(pb.OperationOutcome.values()))


@given(JOB_STATES, st.lists(RUNS, max_size=40), st.lists(OPERATIONS, max_size=2), st.none() | st.integers(0, NOW_MS))
def test_a_job_has_a_cause_until_it_has_ended(
    state: pb.JobState.ValueType,
    runs: list[pb.InstanceRun],
    operations: list[pb.UpstreamOperation],
    seen_ms: int | None,
) -> None:
    found = causes(pb.Job(name="jobs/x", state=state, runs=runs, operations=operations), Facts(NOW_MS, seen_ms))

    assert bool(found) == (state not in JOB_TERMINAL)
    assert all(cause.kind and cause.description for cause in found)
    assert len(found) <= 2 * MOST_RUNS + 10


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


async def test_a_job_is_explained_over_the_wire(world: World) -> None:
    job_id = await world.submit()
    request = pb.ExplainJobRequest(name=keys.job_name(job_id))

    first = await world.jobs.ExplainJob(request)
    seconds, _ = await world.redis.time()
    await world.redis.zadd(keys.WORKERS, {"w": int(seconds) * 1_000})
    await world.redis.hset(keys.quota(""), "frozen:read", str((int(seconds) + 60) * 1_000))  # type: ignore[misc]
    second = await world.jobs.ExplainJob(request)
    await world.worker.finish(job_id)
    third = await world.jobs.ExplainJob(request)

    assert [cause.kind for cause in first.causes] == [pb.CAUSE_KIND_WORKER_ABSENT, pb.CAUSE_KIND_QUEUE]
    assert [cause.kind for cause in second.causes] == [pb.CAUSE_KIND_QUEUE, pb.CAUSE_KIND_QUOTA]
    assert second.causes[1].expected_clear_time.seconds == int(seconds) + 60
    assert not third.causes


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


def event(revision: int, state: pb.JobState.ValueType) -> pb.JobEvent:
    found = pb.JobEvent(revision=revision, state=state)
    found.event_time.FromMilliseconds(1_000 * revision)
    return found


def test_since_when_a_job_is_in_its_state_is_read_from_the_end_of_its_log() -> None:
    running, paused = pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED

    assert state_since_ms([event(7, running), event(8, paused), event(9, paused)]) == 8_000
    assert state_since_ms([event(8, paused), event(9, paused)]) is None, "it may have begun before"
    assert state_since_ms([event(1, paused), event(2, paused)]) == 1_000
    assert state_since_ms([]) is None


def test_a_connection_that_no_living_worker_serves_is_told() -> None:
    hash_ = {quota_limits.ANNOUNCED: str(NOW_MS - UNSERVED_MS)}

    (first, _) = causes(pb.Job(name="jobs/x", state=pb.JOB_STATE_QUEUED, connection="eu"), replace(LIVELY, quota=hash_))

    assert (first.kind, first.subject) == (pb.CAUSE_KIND_WORKER_ABSENT, "eu")
    assert first.since.ToMilliseconds() == NOW_MS - UNSERVED_MS


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"settle_ms": "x"}'])
def test_waits_that_make_no_sense_are_the_defaults(text: str) -> None:
    assert wait_bounds.announced({wait_bounds.FIELD: text}) == WaitBounds()


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
