"""What an observation says about a run."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.facts.runs import (
    BAD,
    IDLE,
    NOBODY,
    NOT_YET_STARTED,
    THIS_JOB,
    UNSTARTED,
    all_terminal,
    by_instance,
    differs,
    observe,
)
from tests.worker.core.building import FAILURE, NOT_RUN, RUNNING, SUCCESS, job, row, seen

_S = pb.WorkflowInstanceStatus
_LIVE = [
    pb.WORKFLOW_INSTANCE_STATUS_RUNNING,
    pb.WORKFLOW_INSTANCE_STATUS_WAIT_TIME,
    pb.WORKFLOW_INSTANCE_STATUS_CHECKING_CONDITION,
    pb.WORKFLOW_INSTANCE_STATUS_WAIT_RESOURCE,
    pb.WORKFLOW_INSTANCE_STATUS_CHECKING,
]


@pytest.mark.parametrize("status", _LIVE)
def test_every_status_between_start_and_end_is_running(status: _S.ValueType) -> None:
    after = observe(row(0, pb.RUN_STATE_STARTING), seen(100, status))

    assert after.state == pb.RUN_STATE_RUNNING
    assert after.HasField("started_time")


@pytest.mark.parametrize(
    ("status", "stopping", "state"),
    [
        (SUCCESS, False, pb.RUN_STATE_SUCCEEDED),
        (SUCCESS, True, pb.RUN_STATE_SUCCEEDED),
        (FAILURE, False, pb.RUN_STATE_FAILED),
        (FAILURE, True, pb.RUN_STATE_STOPPED),
    ],
)
def test_an_end_is_what_upstream_says_or_what_was_asked_for(
    status: _S.ValueType, stopping: bool, state: pb.RunState.ValueType
) -> None:
    assert (
        observe(row(0, pb.RUN_STATE_RUNNING), seen(100, status), stopper=THIS_JOB if stopping else NOBODY).state
        == state
    )


@pytest.mark.parametrize("state", [pb.RUN_STATE_CREATED, pb.RUN_STATE_BLOCKED, pb.RUN_STATE_STARTING])
def test_not_run_leaves_the_state_as_it_is(state: pb.RunState.ValueType) -> None:
    assert observe(row(0, state), seen(100, NOT_RUN)).state == state


def test_a_word_newer_than_this_file_is_never_final() -> None:
    unknown = seen(100, pb.WORKFLOW_INSTANCE_STATUS_UNSPECIFIED, status_raw="Hibernating")

    after = observe(row(0, pb.RUN_STATE_STARTING), unknown, stopper=THIS_JOB)

    assert (after.state, after.upstream_status) == (pb.RUN_STATE_RUNNING, "Hibernating")
    unknown.ClearField("started_time")
    assert observe(row(0, pb.RUN_STATE_STARTING), unknown, stopper=THIS_JOB).state == pb.RUN_STATE_STARTING


def test_who_started_it_is_kept_once_it_is_known() -> None:
    blocked = row(0, pb.RUN_STATE_BLOCKED, blocked_by_id=9)
    after = observe(blocked, seen(100, RUNNING), started_by=pb.STARTED_BY_UPSTREAM)
    assert (after.started_by, after.blocked_by_id) == (pb.STARTED_BY_UPSTREAM, 0)

    later = observe(after, seen(100, SUCCESS), started_by=pb.STARTED_BY_OPERATOR)
    assert later.started_by == pb.STARTED_BY_UPSTREAM


def test_nobody_started_what_never_ran() -> None:
    never_ran = seen(100, FAILURE)
    never_ran.ClearField("started_time")
    before = row(0, pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_HEADGATE)

    after = observe(before, never_ran, started_by=pb.STARTED_BY_UPSTREAM, stopper=THIS_JOB)

    assert (after.state, after.started_by) == (pb.RUN_STATE_STOPPED, pb.STARTED_BY_UNSPECIFIED)
    assert after.stopped_by == pb.STOPPED_BY_HEADGATE


def test_when_a_row_was_read_is_no_news() -> None:
    before = observe(row(0, pb.RUN_STATE_RUNNING), seen(100, RUNNING))
    later = seen(100, RUNNING)
    later.observe_time.seconds += 10

    assert not differs(before, observe(before, later))
    assert differs(before, observe(before, seen(100, SUCCESS)))


def test_observing_never_changes_the_row_it_was_given() -> None:
    before = row(0, pb.RUN_STATE_RUNNING)
    copy = pb.InstanceRun.FromString(before.SerializeToString())

    observe(before, seen(100, SUCCESS))

    assert before == copy


def test_the_sets_of_states_do_not_mix() -> None:
    assert IDLE < UNSTARTED
    assert IDLE < NOT_YET_STARTED
    assert not BAD & UNSTARTED


def test_the_latest_attempt_of_an_instance_wins() -> None:
    runs = [row(0, pb.RUN_STATE_FAILED), row(1, pb.RUN_STATE_PLANNED), row(2, pb.RUN_STATE_RUNNING)]

    assert set(by_instance(job(*runs))) == {100, 102}
    assert not all_terminal(runs)
    assert all_terminal(runs[:1])
    assert all_terminal([])
