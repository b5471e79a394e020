"""The status words of an instance and which may follow which.

    NotRun -> WaitTime -> CheckingCondition -> WaitResource -> Running -> Checking -> Success | Failure

Every stop on the way but Running may be skipped. Upstream has no word for "stopped": a stop ends in Failure.
A rerun does not move a run backwards, it adds a new run, which begins at NotRun.
"""

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """The eight words that Get and List may answer (SDK 9.11)."""

    NOT_RUN = "NotRun"
    WAIT_TIME = "WaitTime"
    CHECKING_CONDITION = "CheckingCondition"
    WAIT_RESOURCE = "WaitResource"
    RUNNING = "Running"
    CHECKING = "Checking"
    SUCCESS = "Success"
    FAILURE = "Failure"


TERMINAL = frozenset({Status.SUCCESS, Status.FAILURE})

MOVES: Mapping[Status, frozenset[Status]] = {
    Status.NOT_RUN: frozenset(
        {
            Status.WAIT_TIME,
            Status.CHECKING_CONDITION,
            Status.WAIT_RESOURCE,
            Status.RUNNING,
            Status.FAILURE,
        }
    ),
    Status.WAIT_TIME: frozenset({Status.CHECKING_CONDITION, Status.WAIT_RESOURCE, Status.RUNNING, Status.FAILURE}),
    Status.CHECKING_CONDITION: frozenset({Status.WAIT_RESOURCE, Status.RUNNING, Status.FAILURE}),
    Status.WAIT_RESOURCE: frozenset({Status.RUNNING, Status.FAILURE}),
    Status.RUNNING: frozenset({Status.CHECKING, Status.SUCCESS, Status.FAILURE}),
    Status.CHECKING: frozenset({Status.SUCCESS, Status.FAILURE}),
    Status.SUCCESS: frozenset(),
    Status.FAILURE: frozenset(),
}


class IllegalMove(Exception):
    """A status was asked to become one that cannot follow it."""


def check_move(old: Status, new: Status) -> None:
    """Raise IllegalMove unless `new` may follow `old`."""
    if new not in MOVES[old]:
        raise IllegalMove(f"{new} cannot follow {old}")
