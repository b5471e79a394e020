"""Jobs about task instances that tests plan and answer step by step."""

from __future__ import annotations

from typing import Any

from headgate import pb
from headgate_worker.core.model.calls import Failure, GetTask, PerInstance
from headgate_worker.core.model.steps import Act, Wait, apply, timestamp
from headgate_worker.core.model.task_calls import (
    RerunTasks,
    ResumeTasks,
    SetSuccessTasks,
    StopTasks,
    SuspendTasks,
)
from headgate_worker.core.model.view import Hints, View
from headgate_worker.core.planner import absorb, plan
from headgate_worker.core.rules.task import kinds
from tests.worker.core.building import NOW_MS, acted, job, reply, view

TASK = 700

CALLS = {
    kinds.RERUN: RerunTasks,
    kinds.SET_SUCCESS: SetSuccessTasks,
    kinds.STOP: StopTasks,
    kinds.SUSPEND: SuspendTasks,
    kinds.RESUME: ResumeTasks,
}

BEFORE: dict[str, dict[str, Any]] = {
    kinds.RERUN: {"status": "Failure"},
    kinds.SET_SUCCESS: {"status": "Failure"},
    kinds.STOP: {"status": "Running"},
    kinds.SUSPEND: {"status": "NotRun", "trigger_recurrence": "Normal"},
    kinds.RESUME: {"status": "NotRun", "trigger_recurrence": "Pause"},
}

AFTER: dict[str, dict[str, Any]] = {
    kinds.RERUN: {"status": "Success", "run_number": 2},
    kinds.SET_SUCCESS: {"status": "Success"},
    kinds.STOP: {"status": "Failure"},
    kinds.SUSPEND: {"status": "NotRun", "trigger_recurrence": "Pause"},
    kinds.RESUME: {"status": "NotRun", "trigger_recurrence": "Normal"},
}

SAFE = sorted(kinds.KINDS - {kinds.RERUN})


def about(kind: str, count: int = 1, **fields: Any) -> pb.Job:
    """A running job about some task instances that were not read yet."""
    rows = [
        pb.InstanceRun(index=n, state=pb.RUN_STATE_PLANNED, attempt=1, operation_index=-1, task_instance_id=TASK + n)
        for n in range(count)
    ]
    spec = {"ids": [TASK + n for n in range(count)], "comment": "mended"}
    made = job(*rows, create=pb.CreateWorkflowInstancesSpec(), **fields)
    made.ClearField("create")
    getattr(made, kind).MergeFrom(type(getattr(made, kind))(**spec))
    return made


def seen(number: int = 0, **fields: Any) -> pb.TaskInstance:
    """A task instance as it was read."""
    row = pb.TaskInstance(id=TASK + number, task_name="orders", run_number=1, observe_time=timestamp(NOW_MS))
    row.MergeFrom(pb.TaskInstance(**fields))
    return row


class Story:
    """A job that is planned and answered step by step."""

    def __init__(self, of: pb.Job) -> None:
        self.job, self.hints, self.now_ms = of, Hints(), NOW_MS

    def view(self) -> View:
        return view(self.job, self.hints, now_ms=self.now_ms)

    def asks(self) -> Act:
        """The next call, with its intent committed; commits without a call before it are made too."""
        while True:
            act = acted(plan(self.view()))
            self.job, _ = apply(self.job, act.drafts, now_ms=self.now_ms)
            if act.call is not None:
                return act

    def hears(self, act: Act, body: object) -> None:
        change = absorb(self.view(), act, body if isinstance(body, Failure) else reply(body))
        self.job, _ = apply(self.job, change.drafts, now_ms=self.now_ms)
        self.hints = change.hints

    def sent(self, **before: Any) -> Act:
        """The write, once each task instance was read."""
        for run in self.job.runs:
            act = self.asks()
            assert act.call == GetTask(run.task_instance_id)
            self.hears(act, seen(run.index, **before))
        return self.asks()

    def waits(self) -> None:
        step = plan(self.view())
        assert isinstance(step, Wait), step
        self.now_ms = step.until_ms

    def settles(self) -> None:
        """Whatever is committed without a call."""
        while isinstance(step := plan(self.view()), Act) and step.call is None:
            self.job, _ = apply(self.job, step.drafts, now_ms=self.now_ms)


def accepted(*numbers: int) -> dict[int, PerInstance]:
    return {TASK + n: PerInstance(success=True) for n in numbers}


def until_decided(story: Story, *, executed: frozenset[int] = frozenset()) -> Act | None:
    """Read on, with the effect in some of them, until another write goes out or a person is asked; at most an hour."""
    kind = story.view().kind
    while story.now_ms < NOW_MS + 3_600_000:
        step = plan(story.view())
        if isinstance(step, Wait):
            if story.job.state == pb.JOB_STATE_NEEDS_ATTENTION or not story.view().runs:
                return None
            story.now_ms = step.until_ms
            continue
        if not isinstance(step, Act):
            return None
        story.job, _ = apply(story.job, step.drafts, now_ms=story.now_ms)
        if step.call is None:
            continue
        if not isinstance(step.call, GetTask):
            return step
        shown = AFTER[kind] if step.subject in executed else BEFORE[kind]
        story.hears(step, seen(step.subject, **shown))
    raise AssertionError("undecided after an hour")
