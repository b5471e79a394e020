"""What reads of task instances say: after a lost reply, and while an effect is due."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.core.model.steps import Act, timestamp
from headgate_worker.core.model.task_calls import RerunTasks
from headgate_worker.core.rules.task import kinds
from tests.worker.core.building import NOW_MS, failure, reason, states
from tests.worker.core.rules.task.stories import (
    AFTER,
    BEFORE,
    CALLS,
    SAFE,
    TASK,
    Story,
    about,
    accepted,
    seen,
    until_decided,
)


def test_a_rerun_that_fails_again_fails_its_job() -> None:
    story = Story(about(kinds.RERUN))
    story.hears(story.sent(**BEFORE[kinds.RERUN]), accepted(0))
    story.hears(story.asks(), seen(status="Failure"))  # the run before is still shown
    assert states(story.job) == ["STARTING"]
    story.waits()
    story.hears(story.asks(), seen(status="Running", run_number=2))
    assert states(story.job) == ["RUNNING"]
    story.waits()
    story.hears(story.asks(), seen(status="Failure", run_number=2))
    story.settles()

    assert story.job.state == pb.JOB_STATE_FAILED
    assert reason(story.job.error) == "RUNS_FAILED"


def test_an_unknown_task_instance_fails_alone() -> None:
    story = Story(about(kinds.RERUN, 2))
    story.hears(story.asks(), failure(FailureKind.NOT_FOUND))
    story.hears(story.asks(), seen(1, status="Failure"))

    assert story.asks().call == RerunTasks((TASK + 1,), "mended")
    assert reason(story.job.runs[0].error) == "INSTANCE_UNKNOWN"


@pytest.mark.parametrize("lost", ["the reply", "the worker"])
@pytest.mark.parametrize("kind", sorted(kinds.KINDS))
def test_after_a_lost_reply_the_task_instance_tells(kind: str, lost: str) -> None:
    story = Story(about(kind))
    act = story.sent(**BEFORE[kind])
    if lost == "the reply":
        story.hears(act, failure(FailureKind.AMBIGUOUS))
        story.waits()
    story.hears(story.asks(), seen(**AFTER[kind]))
    story.settles()

    assert story.job.operations[0].outcome == pb.OPERATION_OUTCOME_ADOPTED
    assert story.job.state == pb.JOB_STATE_SUCCEEDED


def test_a_rerun_that_does_not_show_is_never_sent_again_but_a_person_asked() -> None:
    story = Story(about(kinds.RERUN, 2))
    story.hears(story.sent(status="Failure"), failure(FailureKind.AMBIGUOUS))

    assert until_decided(story) is None
    assert story.job.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert story.job.operations[0].attempts == 1
    assert story.now_ms >= NOW_MS + story.view().policy.settle_ms


def test_a_rerun_that_shows_in_some_was_executed() -> None:
    story = Story(about(kinds.RERUN, 2))
    story.hears(story.sent(status="Failure"), failure(FailureKind.AMBIGUOUS))

    assert until_decided(story, executed=frozenset({0})) is None
    assert states(story.job) == ["SUCCEEDED", "UNRESOLVED"]
    assert story.job.operations[0].outcome == pb.OPERATION_OUTCOME_ADOPTED
    assert story.job.state == pb.JOB_STATE_FAILED


@pytest.mark.parametrize("kind", SAFE)
def test_another_call_goes_out_for_what_does_not_show_it(kind: str) -> None:
    story = Story(about(kind, 2))
    story.hears(story.sent(**BEFORE[kind]), failure(FailureKind.AMBIGUOUS))
    again = until_decided(story, executed=frozenset({0}))

    assert again is not None
    assert again.call == CALLS[kind]((TASK + 1,), "mended")
    assert story.now_ms >= NOW_MS + story.view().policy.settle_ms


def test_a_call_that_never_shows_ends_with_a_person() -> None:
    story = Story(about(kinds.SET_SUCCESS))
    act: Act | None = story.sent(status="Failure")
    for _ in range(3):
        assert act is not None
        story.hears(act, failure(FailureKind.AMBIGUOUS))
        act = until_decided(story)

    assert act is None
    assert story.job.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert story.job.operations[0].attempts == 3


def test_a_run_that_began_before_the_call_is_not_its_own() -> None:
    story = Story(about(kinds.RERUN))
    story.hears(story.sent(status="Failure"), failure(FailureKind.AMBIGUOUS))
    story.waits()
    foreign = seen(status="Running", run_number=2, started_time=timestamp(NOW_MS - 60_000))
    story.hears(story.asks(), foreign)

    assert states(story.job) == ["CREATING"]
    assert story.job.operations[0].outcome == pb.OPERATION_OUTCOME_AMBIGUOUS


@pytest.mark.parametrize("kind", [kinds.RERUN, kinds.SET_SUCCESS, kinds.STOP])
def test_an_accepted_call_without_effect_is_not_waited_for_without_end(kind: str) -> None:
    story = Story(about(kind))
    story.hears(story.sent(**BEFORE[kind]), accepted(0))

    assert until_decided(story) is None
    assert states(story.job) == ["UNRESOLVED"]
    assert story.job.state == pb.JOB_STATE_FAILED
