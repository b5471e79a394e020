"""DataWorks as a model: instances, parallelism groups, asynchronous creates, stops that settle late or never.

Nothing is lost or delayed here on the way; that is `line`'s business. What no source settles is drawn for each
history or each instance: which end of a parent starts a queued child, what a stop does to an instance that never ran.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import Any

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.model.calls import (
    CreateInstances,
    ExecuteAdhoc,
    Failure,
    FailureKind,
    GetCreateResult,
    GetInstance,
    GetRerunResult,
    GetTask,
    GetTaskLog,
    InstancePage,
    ListInstances,
    ListTasks,
    OperationResult,
    OperationStatus,
    PerInstance,
    RerunInstances,
    StartInstances,
    StopInstances,
    TaskPage,
)
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.model.task_calls import ACTIONS as TASK_ACTIONS
from headgate_worker.core.model.task_calls import ResumeTasks, SetSuccessTasks, StopTasks, SuspendTasks, TaskWrite
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from tests.simulator.chance import Chance
from tests.simulator.rules import Rules
from tests.simulator.timeline import Timeline

NOT_RUN = pb.WORKFLOW_INSTANCE_STATUS_NOT_RUN
RUNNING = pb.WORKFLOW_INSTANCE_STATUS_RUNNING
SUCCESS = pb.WORKFLOW_INSTANCE_STATUS_SUCCESS
FAILURE = pb.WORKFLOW_INSTANCE_STATUS_FAILURE
ENDED = frozenset({SUCCESS, FAILURE})

OWN_USER, FOREIGN_USER = "1000", "2000"
"""CreateUser of what headgate makes, and ModifyUser of what a person has touched."""

PROJECT_ID = 1
"""Everybody's workspace."""

_WORDS = {NOT_RUN: "NotRun", RUNNING: "Running", SUCCESS: "Success", FAILURE: "Failure"}


@dataclass(slots=True)
class Instance:
    """One workflow instance upstream, and what really happened to it."""

    id: int
    name: str
    day: date | None
    kind: pb.WorkflowInstanceType.ValueType
    created_ms: int
    visible_ms: int
    operation: str = ""
    parents: tuple[int, ...] = ()
    auto_start: str = "never"
    named: bool = False
    status: pb.WorkflowInstanceStatus.ValueType = NOT_RUN
    started_ms: int = 0
    finished_ms: int = 0
    run_number: int = 0
    started_by: str = ""
    ever_succeeded: bool = False
    touched: bool = False
    starts_heard: int = 0
    reads: int = 0
    stopped_running: bool = False
    modify_user: str = OWN_USER
    stopped_by: str = ""
    paused: bool = False
    written: set[str] = field(default_factory=set)
    runs_by_job: int = 0
    ended_by: str = ""


@dataclass(slots=True)
class Operation:
    """An asynchronous create or rerun."""

    id: str
    done: bool = False
    failed: bool = False
    ids: tuple[int, ...] = ()
    of_job: bool = True


@dataclass(slots=True)
class ModelUpstream:
    """A cloud that never lies and never tires. Refusals come back as Failure values."""

    timeline: Timeline
    chance: Chance
    rules: Rules
    instances: dict[int, Instance] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    calls: int = 0
    witness: Callable[[Instance], None] | None = None
    _next_id: int = 1_000_341_554_601

    def answer(self, call: UpstreamCall[Body]) -> Body | Failure:
        """Execute a call now."""
        answers: dict[type, Callable[[Any], Any]] = {
            CreateInstances: lambda call: self._create(call.spec),
            GetCreateResult: lambda call: self._result(call.operation_id),
            GetRerunResult: lambda call: self._result(call.operation_id),
            StartInstances: lambda call: {one: self._start(one) for one in call.ids},
            StopInstances: lambda call: {one: self.stop(one) for one in call.ids},
            GetInstance: lambda call: self._get(call.id),
            ListTasks: self._tasks,
            GetTaskLog: lambda call: f"the end of {call.id}",
            ListInstances: self._list,
            ExecuteAdhoc: lambda call: self._adhoc(call.spec),
            RerunInstances: lambda call: self._rerun(call.spec),
            GetTask: lambda call: self._task(call.id),
            **dict.fromkeys(TASK_ACTIONS, self._write_tasks),
        }
        found: Body | Failure = answers[type(call)](call)
        return found

    def make(self, name: str, days: Iterable[date | None], **fields: object) -> list[Instance]:
        """New instances at once, one per date."""
        lag = self.chance.between(0, self.rules.lag_ms)
        made = []
        for day in days:
            self._next_id += self.chance.between(1, 5)
            now = self.timeline.now_ms
            one = Instance(self._next_id, name, day, pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA, now, now + lag)
            one.auto_start = self.chance.pick(self.rules.auto_start)
            for key, value in fields.items():
                setattr(one, key, value)
            self.instances[one.id] = one
            made.append(one)
        return made

    def link(self, made: list[Instance], properties: pb.DefaultRunProperties) -> None:
        """Set who waits for whom."""
        order = sorted(made, key=lambda one: one.day or date.min)
        if properties.order == pb.BACKFILL_ORDER_DESC:
            order.reverse()
        width = properties.parallelism if properties.HasField("parallelism") else len(order)
        for n, one in enumerate(order):
            if self.rules.batches:
                one.parents = tuple(p.id for p in order[max(0, n - n % width - width) : n - n % width])
            elif n >= width:
                one.parents = (order[n - width].id,)

    def begin(self, one: Instance, by: str) -> None:
        """Start an instance, whatever state it is in."""
        one.status, one.started_ms, one.finished_ms = RUNNING, self.timeline.now_ms, 0
        one.run_number += 1
        one.started_by, one.stopped_by, one.ended_by = by, "", ""
        number = one.run_number
        if self.witness is not None:
            self.witness(one)
        self.timeline.after(self.run_ms(one), lambda: self._end_run(one, number))

    def run_ms(self, one: Instance) -> int:
        """How long the run that begins now will take."""
        return self.chance.between(*self.rules.run_ms)

    def halt(self, one: Instance, by: str = "operator") -> None:
        """Ask for a stop, as a caller or an operator would."""
        one.named, one.stopped_by = False, one.stopped_by or by
        if one.status == NOT_RUN and not self.rules.stop_not_run_fails:
            return
        if self.chance.happens(self.rules.stop_sticks) and self.timeline.now_ms < self.chance.quiet_after_ms:
            return
        number = one.run_number
        self.timeline.after(self.rules.stop_ms, lambda: self._settle(one, number))

    def _settle(self, one: Instance, number: int) -> None:
        if one.run_number == number and one.status not in ENDED:
            one.ended_by = one.stopped_by
            self._finish(one, FAILURE)

    def _end_run(self, one: Instance, number: int) -> None:
        if one.run_number == number and one.status == RUNNING:
            self._finish(one, FAILURE if self.chance.happens(self.rules.fail_rate) else SUCCESS)

    def _finish(self, one: Instance, status: pb.WorkflowInstanceStatus.ValueType) -> None:
        one.status, one.finished_ms = status, self.timeline.now_ms
        one.ever_succeeded |= status == SUCCESS
        for child in self.instances.values():
            if one.id in child.parents:
                self.timeline.after(self.rules.auto_start_delay_ms, partial(self._adopt, child))

    def _adopt(self, child: Instance) -> None:
        queued = child.named or self.rules.starts_unnamed
        if (
            child.status == NOT_RUN
            and queued
            and child.auto_start != "never"
            and not self._waits(child, child.auto_start)
        ):
            self.begin(child, "upstream")

    def _waits(self, one: Instance, condition: str) -> int:
        """The parent that holds an instance back; 0 when none does."""
        for parent in one.parents:
            status = self.instances[parent].status
            if status not in ENDED or (condition == "success_only" and status != SUCCESS):
                return parent
        return 0

    def _create(self, spec: pb.CreateWorkflowInstancesSpec) -> str:
        operation = Operation(f"op-{len(self.operations)}")
        self.operations[operation.id] = operation
        operation.failed = self.chance.happens(self.rules.create_fails)
        self.timeline.after(self.rules.create_ms, lambda: self._created(operation, spec))
        return operation.id

    def _created(self, operation: Operation, spec: pb.CreateWorkflowInstancesSpec) -> None:
        operation.done = True
        if operation.failed:
            return
        days: list[date | None] = [*dates.walk(spec.periods.biz_dates)] or [date(2025, 2, 7)]
        made = self.make(spec.name, days, operation=operation.id, kind=spec.type, named=spec.auto_start_enabled)
        self.link(made, spec.default_run_properties)
        operation.ids = tuple(self.chance.some([one.id for one in made], 1.0))
        for one in made:
            if spec.auto_start_enabled and not one.parents:
                self.begin(one, "upstream")

    def _adhoc(self, spec: pb.ExecuteAdhocWorkflowInstanceSpec) -> int:
        day = dates.from_message(spec.biz_date) if spec.HasField("biz_date") else date(2025, 2, 7)
        shown = day + timedelta(days=self.rules.adhoc_days) if spec.HasField("biz_date") else day
        made = self.make(spec.name, [shown], operation="adhoc", kind=pb.WORKFLOW_INSTANCE_TYPE_MANUAL)
        self.begin(made[0], "job")
        return made[0].id

    def _rerun(self, spec: pb.RerunWorkflowInstancesSpec) -> str:
        operation = Operation(f"op-{len(self.operations)}", failed=self.chance.happens(self.rules.create_fails))
        self.operations[operation.id] = operation
        self.timeline.after(self.rules.create_ms, lambda: self._rerun_begins(operation, tuple(spec.ids)))
        return operation.id

    def _rerun_begins(self, operation: Operation, ids: tuple[int, ...]) -> None:
        operation.done = True
        for one in ids:
            if not operation.failed:
                self.timeline.after(self.chance.between(0, 3_000), partial(self.begin, self.instances[one], "job"))

    def _result(self, operation_id: str) -> OperationResult | Failure:
        operation = self.operations.get(operation_id)
        if operation is None:
            return Failure(FailureKind.NOT_FOUND, "Operation.NotFound", "no such operation")
        if not operation.done:
            return OperationResult(OperationStatus.PENDING)
        if operation.failed:
            return OperationResult(OperationStatus.FAILED, failure_message="it could not be done")
        return OperationResult(OperationStatus.DONE, operation.ids)

    def _start(self, instance_id: int) -> PerInstance:
        one = self.instances.get(instance_id)
        if one is None:
            return PerInstance(success=False, message="The instance does not exist.")
        one.starts_heard += 1
        if one.status != NOT_RUN:
            return PerInstance(success=False, message=f"its status is {_WORDS[one.status]}")
        one.named = True
        parent = self._waits(one, self.rules.release)
        if parent:
            return PerInstance(success=False, message=self.rules.words.format(parent))
        self.begin(one, "job")
        return PerInstance(success=True)

    def stop(self, instance_id: int, by: str = "job") -> PerInstance:
        """StopWorkflowInstances for one instance."""
        one = self.instances.get(instance_id)
        if one is None:
            return PerInstance(success=False, message="The instance does not exist.")
        if one.status in ENDED:
            return PerInstance(success=False, message=f"its status is {_WORDS[one.status]}")
        one.stopped_running |= one.status == RUNNING and by == "job"
        self.halt(one, by)
        return PerInstance(success=True)

    def _get(self, instance_id: int) -> pb.WorkflowInstance | Failure:
        one = self.instances.get(instance_id)
        if one is None or one.visible_ms > self.timeline.now_ms:
            return Failure(FailureKind.NOT_FOUND, "WorkflowInstance.NotFound", "no such instance")
        one.reads += 1
        return self._shown(one)

    def _list(self, call: ListInstances) -> InstancePage:
        found = [
            one
            for one in self.instances.values()
            if one.visible_ms <= self.timeline.now_ms
            and call.name in one.name
            and one.day is not None
            and dates.midnight_millis(one.day) == call.biz_date_millis
            and (not call.type or one.kind == call.type)
            and (not call.ids or one.id in call.ids)
        ]
        first = (call.page_number - 1) * call.page_size
        page = sorted(found, key=lambda one: one.id)[first : first + call.page_size]
        return InstancePage(tuple(self._shown(one) for one in page), len(found))

    def _tasks(self, call: ListTasks) -> TaskPage:
        """One task for each instance, of the same id; it ran dry where that is a multiple of seven."""
        one = self.instances[call.workflow_instance_id]
        task = pb.TaskInstance(id=one.id, task_name="task", status=_WORDS[one.status], run_number=one.run_number)
        task.trigger_recurrence = "Normal" if one.id % 7 else "Skip"
        wanted = (call.filter.status or task.status, call.filter.trigger_recurrence or task.trigger_recurrence)
        found = (task,) if wanted == (task.status, task.trigger_recurrence) else ()
        return TaskPage(found, len(found))

    def _task(self, task_id: int) -> pb.TaskInstance | Failure:
        """The one task of an instance, which has its id."""
        one = self.instances.get(task_id)
        if one is None:
            return Failure(FailureKind.NOT_FOUND, "TaskInstance.NotFound", "no such task instance")
        task = pb.TaskInstance(id=one.id, task_name="task", status=_WORDS[one.status], run_number=one.run_number)
        task.trigger_recurrence = "Pause" if one.paused else "Normal"
        task.observe_time.FromMilliseconds(self.timeline.now_ms)
        if one.started_ms:
            task.started_time.CopyFrom(timestamp(one.started_ms))
        if one.finished_ms:
            task.finished_time.CopyFrom(timestamp(one.finished_ms))
        return task

    def _write_tasks(self, call: TaskWrite) -> dict[int, PerInstance]:
        return {one: self._write_task(call, self.instances[one]) for one in call.ids}

    def _write_task(self, call: TaskWrite, one: Instance) -> PerInstance:
        one.written.add(TASK_ACTIONS[type(call)])
        if isinstance(call, StopTasks):
            return self.stop(one.id)
        if isinstance(call, SuspendTasks | ResumeTasks):
            one.paused = isinstance(call, SuspendTasks)
            return PerInstance(success=True)
        if one.status not in ENDED or (isinstance(call, SetSuccessTasks) and one.status != FAILURE):
            return PerInstance(success=False, message=f"its status is {_WORDS[one.status]}")
        if isinstance(call, SetSuccessTasks):
            one.status, one.ever_succeeded = SUCCESS, True
            return PerInstance(success=True)
        one.runs_by_job += 1
        self.begin(one, "job")
        return PerInstance(success=True)

    def _shown(self, one: Instance) -> pb.WorkflowInstance:
        seen = pb.WorkflowInstance(id=one.id, name=one.name, type=one.kind, status=one.status)
        seen.project_id = PROJECT_ID
        seen.status_raw = _WORDS[one.status]
        seen.observe_time.FromMilliseconds(self.timeline.now_ms)
        seen.create_time.FromMilliseconds(one.created_ms)
        seen.create_user, seen.modify_user = OWN_USER, one.modify_user
        if one.day is not None:
            seen.biz_date.CopyFrom(dates.to_message(one.day))
        if one.started_ms:
            seen.started_time.CopyFrom(timestamp(one.started_ms))
        if one.finished_ms:
            seen.finished_time.CopyFrom(timestamp(one.finished_ms))
        return seen
