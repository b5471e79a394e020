"""The life cycle: every pair of states, allowed or not."""

from __future__ import annotations

import itertools

import pytest

from headgate import pb
from headgate.job.lifecycle import (
    JOB_RESTING,
    JOB_TERMINAL,
    JOB_TRANSITIONS,
    RUN_FRONTIER,
    RUN_TERMINAL,
    IllegalTransition,
    check_transition,
    is_terminal,
)

_STATES = [state for state in pb.JobState.values() if state != pb.JOB_STATE_UNSPECIFIED]

_ALLOWED = {
    ("QUEUED", "RUNNING"),
    ("QUEUED", "PAUSED"),
    ("QUEUED", "CANCELLING"),
    ("QUEUED", "FAILED"),
    ("QUEUED", "NEEDS_ATTENTION"),
    ("RUNNING", "PAUSED"),
    ("RUNNING", "CANCELLING"),
    ("RUNNING", "SUCCEEDED"),
    ("RUNNING", "FAILED"),
    ("RUNNING", "NEEDS_ATTENTION"),
    ("PAUSED", "QUEUED"),
    ("PAUSED", "RUNNING"),
    ("PAUSED", "CANCELLING"),
    ("PAUSED", "SUCCEEDED"),
    ("PAUSED", "FAILED"),
    ("PAUSED", "NEEDS_ATTENTION"),
    ("CANCELLING", "CANCELLED"),
    ("CANCELLING", "FAILED"),
    ("CANCELLING", "NEEDS_ATTENTION"),
    ("NEEDS_ATTENTION", "RUNNING"),
    ("NEEDS_ATTENTION", "CANCELLING"),
    ("NEEDS_ATTENTION", "FAILED"),
    ("NEEDS_ATTENTION", "CANCELLED"),
    ("SUCCEEDED", "RUNNING"),
    ("FAILED", "RUNNING"),
    ("CANCELLED", "RUNNING"),
}
"""Written a second time on purpose: a move that is added or lost by accident shows here."""


def _short(state: pb.JobState.ValueType) -> str:
    return pb.JobState.Name(state).removeprefix("JOB_STATE_")


@pytest.mark.parametrize(("before", "after"), list(itertools.product(_STATES, _STATES)))
def test_every_pair_of_states(before: pb.JobState.ValueType, after: pb.JobState.ValueType) -> None:
    if before == after or (_short(before), _short(after)) in _ALLOWED:
        check_transition(before, after)
        return
    with pytest.raises(IllegalTransition) as caught:
        check_transition(before, after)
    assert (caught.value.before, caught.value.after) == (before, after)


def test_no_job_begins_or_ends_in_no_state() -> None:
    for state in _STATES:
        with pytest.raises(IllegalTransition):
            check_transition(state, pb.JOB_STATE_UNSPECIFIED)
        with pytest.raises(IllegalTransition):
            check_transition(pb.JOB_STATE_UNSPECIFIED, state)


def test_the_table_has_a_row_for_every_state() -> None:
    assert set(JOB_TRANSITIONS) == set(_STATES)


def test_nothing_follows_an_end_but_a_retry() -> None:
    for state in JOB_TERMINAL:
        assert JOB_TRANSITIONS[state] == {pb.JOB_STATE_RUNNING}
        assert is_terminal(pb.Job(state=state))


def test_every_job_can_end_from_wherever_it_is() -> None:
    for state in set(_STATES) - JOB_TERMINAL:
        assert not is_terminal(pb.Job(state=state))
        assert pb.JOB_STATE_FAILED in JOB_TRANSITIONS[state]


def test_the_sets_do_not_overlap() -> None:
    assert not JOB_TERMINAL & JOB_RESTING
    assert not RUN_TERMINAL & RUN_FRONTIER
