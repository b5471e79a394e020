"""Writes about DataWorks task instances as values. As `calls`: one call is one request; the reads stand there."""

from __future__ import annotations

from dataclasses import dataclass

from headgate_worker.core.model.upstream_call import PerInstance, UpstreamCall


@dataclass(frozen=True, slots=True)
class TaskWrite(UpstreamCall[dict[int, PerInstance]]):
    """A write about 1 to 100 task instances. The reply says by id what became of each; an id may be missing."""

    ids: tuple[int, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class RerunTasks(TaskWrite):
    """RerunTaskInstances. Not safe to repeat: each call that is executed is one more run."""

    use_latest_config: bool = False


@dataclass(frozen=True, slots=True)
class SetSuccessTasks(TaskWrite):
    """SetSuccessTaskInstances. Safe to repeat by intent: read, then set what is not in Success."""


@dataclass(frozen=True, slots=True)
class StopTasks(TaskWrite):
    """StopTaskInstances. Safe to repeat by intent: read, then stop what has not ended."""


@dataclass(frozen=True, slots=True)
class SuspendTasks(TaskWrite):
    """SuspendTaskInstances. Safe to repeat by intent: read, then suspend what is not paused."""


@dataclass(frozen=True, slots=True)
class ResumeTasks(TaskWrite):
    """ResumeTaskInstances. Safe to repeat by intent: read, then resume what is paused."""


ACTIONS: dict[type, str] = {
    RerunTasks: "RerunTaskInstances",
    SetSuccessTasks: "SetSuccessTaskInstances",
    StopTasks: "StopTaskInstances",
    SuspendTasks: "SuspendTaskInstances",
    ResumeTasks: "ResumeTaskInstances",
}
"""Upstream's own name of each call."""

WRITES = frozenset(ACTIONS)
"""Calls that change something upstream: all of them."""
