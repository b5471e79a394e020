"""The life cycle of jobs and runs: which state may follow which.

Theory of operation. A job moves only by events, and an event names the state that holds after it.
`JOB_TRANSITIONS` lists every allowed move; one that is not in it is an error by construction, and nothing is changed.
Staying where one is, is always allowed. Runs have no such table: a run is what upstream last said of it, and upstream
may say anything after anything (an operator reruns a failed instance in the console); what headgate adds is which run
states are final for its job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from headgate import pb

if TYPE_CHECKING:
    from typing import TypeAlias

    JobState: TypeAlias = pb.JobState.ValueType

_QUEUED = pb.JOB_STATE_QUEUED
_RUNNING = pb.JOB_STATE_RUNNING
_PAUSED = pb.JOB_STATE_PAUSED
_CANCELLING = pb.JOB_STATE_CANCELLING
_SUCCEEDED = pb.JOB_STATE_SUCCEEDED
_FAILED = pb.JOB_STATE_FAILED
_CANCELLED = pb.JOB_STATE_CANCELLED
_ATTENTION = pb.JOB_STATE_NEEDS_ATTENTION

JOB_TERMINAL: Final = frozenset({_SUCCEEDED, _FAILED, _CANCELLED})
"""Nothing follows but a retry; `end_time` is set and watches end."""

JOB_RESTING: Final = frozenset({_PAUSED, _ATTENTION})
"""Not terminal, and waiting for a person."""

RUN_TERMINAL: Final = frozenset(
    {
        pb.RUN_STATE_SUCCEEDED,
        pb.RUN_STATE_FAILED,
        pb.RUN_STATE_STOPPED,
        pb.RUN_STATE_SKIPPED,
        pb.RUN_STATE_UNRESOLVED,
    }
)
"""The job expects nothing more of this run."""

RUN_FRONTIER: Final = frozenset({pb.RUN_STATE_STARTING, pb.RUN_STATE_RUNNING})
"""Started and not ended: the only runs that are worth reading."""

JOB_TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = {
    _QUEUED: frozenset({_RUNNING, _PAUSED, _CANCELLING, _FAILED, _ATTENTION}),
    _RUNNING: frozenset({_PAUSED, _CANCELLING, _SUCCEEDED, _FAILED, _ATTENTION}),
    _PAUSED: frozenset({_QUEUED, _RUNNING, _CANCELLING, _SUCCEEDED, _FAILED, _ATTENTION}),
    _CANCELLING: frozenset({_CANCELLED, _FAILED, _ATTENTION}),
    _ATTENTION: frozenset({_RUNNING, _CANCELLING, _FAILED, _CANCELLED}),
    _SUCCEEDED: frozenset({_RUNNING}),  # RetryJob runs chosen dates again
    _FAILED: frozenset({_RUNNING}),
    _CANCELLED: frozenset({_RUNNING}),
}


class IllegalTransition(ValueError):
    """A job can't move from the one state to the other; nothing was changed.

    Args:
        before: the state it is in.
        after: the state it was to move to.
    """

    def __init__(self, before: JobState, after: JobState) -> None:
        super().__init__(f"{pb.JobState.Name(before)} can't be followed by {pb.JobState.Name(after)}")
        self.before = before
        self.after = after


def check_transition(before: JobState, after: JobState) -> None:
    """Raise IllegalTransition unless `after` may follow `before`."""
    if before != after and after not in JOB_TRANSITIONS.get(before, frozenset()):
        raise IllegalTransition(before, after)


def is_terminal(job: pb.Job) -> bool:
    """Whether nothing more happens to the job by itself."""
    return job.state in JOB_TERMINAL
