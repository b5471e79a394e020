"""The kinds of job about task instances: the call of each, and what a task instance shows of its effect. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from headgate import pb
from headgate_worker.core.model.task_calls import (
    RerunTasks,
    ResumeTasks,
    SetSuccessTasks,
    StopTasks,
    SuspendTasks,
    TaskWrite,
)
from headgate_worker.core.model.view import View

RERUN: Final = "rerun_tasks"
SET_SUCCESS: Final = "set_success_tasks"
STOP: Final = "stop_tasks"
SUSPEND: Final = "suspend_tasks"
RESUME: Final = "resume_tasks"

CALLS: Final[Mapping[str, type[TaskWrite]]] = {
    RERUN: RerunTasks,
    SET_SUCCESS: SetSuccessTasks,
    STOP: StopTasks,
    SUSPEND: SuspendTasks,
    RESUME: ResumeTasks,
}
"""By kind of job: its call."""

KINDS: Final = frozenset(CALLS)
"""The kinds of job about task instances."""

DONE_BY_WORD: Final = frozenset({SUSPEND, RESUME})
"""Kinds whose runs have succeeded once upstream has accepted the call."""

ENDED: Final = frozenset({"Success", "Failure"})
"""Statuses of a task instance that has ended."""

PAUSED: Final = "Pause"
"""The recurrence that a suspended task instance is taken to show (assumed: no page says so)."""


def call(view: View, ids: tuple[int, ...]) -> TaskWrite:
    """The job's call about some of its task instances."""
    spec = getattr(view.job, view.kind)
    if view.kind == RERUN:
        return RerunTasks(ids, spec.comment, spec.use_latest_config)
    return CALLS[view.kind](ids, spec.comment)


def is_so_already(kind: str, seen: pb.TaskInstance) -> bool:
    """Whether a task instance needs no call; a rerun is always one more run."""
    return kind in _HOLDS and _HOLDS[kind](seen)


_HOLDS: Final[Mapping[str, Callable[[pb.TaskInstance], bool]]] = {
    SET_SUCCESS: lambda seen: seen.status == "Success",
    STOP: lambda seen: seen.status in ENDED,
    SUSPEND: lambda seen: seen.trigger_recurrence == PAUSED,
    RESUME: lambda seen: seen.trigger_recurrence != PAUSED,
}
"""By kind: whether what the call is to bring about holds."""


def shows_effect(view: View, run: pb.InstanceRun, seen: pb.TaskInstance) -> bool:
    """Whether what was read can only be so since the job's call; for a lost reply, that it was executed."""
    return _ran_since(view, run, seen) if view.kind == RERUN else is_so_already(view.kind, seen)


def _ran_since(view: View, run: pb.InstanceRun, seen: pb.TaskInstance) -> bool:
    """Whether there is a later run than the one before the call, and nothing says that it began before the call."""
    began_before = seen.HasField("started_time") and _is_before_intent(view, run, seen)
    return seen.run_number > run.task_run_number and not began_before


def _is_before_intent(view: View, run: pb.InstanceRun, seen: pb.TaskInstance) -> bool:
    intent_ms = view.job.operations[run.operation_index].intent_time.ToMilliseconds()
    return seen.started_time.ToMilliseconds() < intent_ms - view.policy.clock_error_ms
