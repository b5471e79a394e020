"""Jobs about task instances: read first, one call after its intent, and what becomes of each."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.calls import FailureKind, PerInstance
from headgate_worker.core.model.steps import Wait
from headgate_worker.core.model.task_calls import RerunTasks
from headgate_worker.core.planner import plan
from headgate_worker.core.rules.task import kinds
from tests.worker.core.building import cancel, failure, reason, states
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
)


@pytest.mark.parametrize("kind", sorted(kinds.KINDS))
def test_each_is_read_before_the_one_call_that_names_all(kind: str) -> None:
    story = Story(about(kind, 2))
    act = story.sent(**BEFORE[kind])

    assert act.call == CALLS[kind]((TASK, TASK + 1), "mended")
    assert [op.outcome for op in story.job.operations] == [pb.OPERATION_OUTCOME_INTENDED]
    assert [run.task_run_number for run in story.job.runs] == [1, 1]


@pytest.mark.parametrize("kind", sorted(kinds.KINDS))
def test_what_was_accepted_is_followed_to_its_effect(kind: str) -> None:
    story = Story(about(kind))
    story.hears(story.sent(**BEFORE[kind]), accepted(0))
    if kind not in kinds.DONE_BY_WORD:
        story.hears(story.asks(), seen(**AFTER[kind]))
    story.settles()

    assert story.job.state == pb.JOB_STATE_SUCCEEDED
    assert states(story.job) == ["STOPPED" if kind == kinds.STOP else "SUCCEEDED"]


@pytest.mark.parametrize("kind", SAFE)
def test_what_is_as_it_is_to_be_is_not_asked_for(kind: str) -> None:
    story = Story(about(kind))
    story.hears(story.asks(), seen(**AFTER[kind]))
    story.settles()

    assert story.job.state == pb.JOB_STATE_SUCCEEDED
    assert not story.job.operations


def test_each_has_its_own_answer() -> None:
    story = Story(about(kinds.SET_SUCCESS, 3))
    answers = {**accepted(0), TASK + 1: PerInstance(success=False, message="it runs")}  # nothing of the third
    story.hears(story.sent(**BEFORE[kinds.SET_SUCCESS]), answers)

    assert states(story.job) == ["STARTING", "FAILED", "STARTING"]
    assert reason(story.job.runs[1].error) == "UPSTREAM_REFUSED"
    for _ in range(2):
        act = story.asks()
        story.hears(act, seen(act.subject, status="Success"))
    story.settles()
    assert states(story.job) == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert story.job.state == pb.JOB_STATE_FAILED


@pytest.mark.parametrize("kind", [FailureKind.THROTTLED, FailureKind.TRANSIENT])
def test_what_was_not_executed_is_sent_again(kind: FailureKind) -> None:
    story = Story(about(kinds.RERUN))
    story.hears(story.sent(status="Failure"), failure(kind))
    assert story.job.operations[0].outcome == pb.OPERATION_OUTCOME_NOT_SENT
    story.waits()

    assert story.asks().call == RerunTasks((TASK,), "mended")
    assert story.job.operations[0].attempts == 2


def test_a_refused_call_fails_its_runs() -> None:
    story = Story(about(kinds.STOP))
    story.hears(story.sent(status="Running"), failure(FailureKind.DENIED))
    story.settles()

    assert story.job.state == pb.JOB_STATE_FAILED
    assert states(story.job) == ["FAILED"]


def test_a_cancel_before_the_call_sends_nothing() -> None:
    story = Story(about(kinds.RERUN, 2))
    story.hears(story.asks(), seen(status="Failure"))
    story.job.MergeFrom(pb.Job(**cancel()))
    story.settles()

    assert story.job.state == pb.JOB_STATE_CANCELLED
    assert not story.job.operations


@pytest.mark.parametrize(("mode", "left"), [(pb.CANCEL_MODE_STOP, "UNRESOLVED"), (pb.CANCEL_MODE_DRAIN, "RUNNING")])
def test_a_cancel_takes_back_nothing_that_was_accepted(mode: pb.CancelMode.ValueType, left: str) -> None:
    story = Story(about(kinds.RERUN))
    story.hears(story.sent(status="Failure"), accepted(0))
    story.hears(story.asks(), seen(status="Running", run_number=2))
    story.job.MergeFrom(pb.Job(**cancel(mode)))
    story.settles()

    assert states(story.job) == [left]


def test_a_paused_job_reads_on_and_sends_nothing() -> None:
    story = Story(about(kinds.RERUN))
    story.hears(story.asks(), seen(status="Failure"))
    story.job.state = pb.JOB_STATE_PAUSED

    assert isinstance(plan(story.view()), Wait)
