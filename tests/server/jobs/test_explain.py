"""ExplainJob: every job that has not ended has a cause, and each cause is told where it applies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.process import wait_bounds
from headgate.process.wait_bounds import WaitBounds
from headgate.quota import limits as quota_limits
from headgate.store import keys
from headgate_server.jobs.causes import MOST_RUNS
from headgate_server.jobs.explain import UNSERVED_MS, causes, state_since_ms
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
