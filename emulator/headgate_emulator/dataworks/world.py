"""The state of the emulated DataWorks and everything that may change it.

A state machine over values it owns. It reads no clock: every method is given the time (epoch ms) and first
lets everything happen that was due by then, in order. It does no I/O. What upstream would refuse is raised as
ApiError and changes nothing.
"""

import heapq
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from headgate_emulator.dataworks import messages
from headgate_emulator.dataworks.creation import (
    Catalogue,
    adhoc_instance,
    check_create,
    instances_of,
    scheduled_instance,
)
from headgate_emulator.dataworks.dates import business_date
from headgate_emulator.dataworks.errors import ApiError, not_found
from headgate_emulator.dataworks.ids import IdSource
from headgate_emulator.dataworks.instances import Creation, Entry, Instance, Rerunning, Scheduled
from headgate_emulator.dataworks.listing import rerun_targets
from headgate_emulator.dataworks.plans import millis, plan_for
from headgate_emulator.dataworks.requests import (
    CreateWorkflowInstances,
    ExecuteAdhocWorkflowInstance,
    RerunWorkflowInstances,
)
from headgate_emulator.dataworks.rules import Rules
from headgate_emulator.dataworks.runs import Run, again, ask_stop, begin, end, grant, proceed, redeem
from headgate_emulator.dataworks.statuses import Status
from headgate_emulator.fault_book import FaultBook
from headgate_emulator.faults import DelayCreate, FailCreate, StuckStop

Alarm = Callable[[int], None]

MAX_PAST_RUNS = 100
_DAY_SECONDS = 86_400


@dataclass(slots=True)
class _State:
    instances: dict[int, Instance] = field(default_factory=dict)
    children: dict[int, list[int]] = field(default_factory=dict)
    creations: dict[str, Creation] = field(default_factory=dict)
    reruns: dict[str, Rerunning] = field(default_factory=dict)
    task_owners: dict[int, int] = field(default_factory=dict)
    alarms: list[tuple[int, int, Alarm]] = field(default_factory=list)
    alarm_count: int = 0
    now: int = 0


class World:
    """One DataWorks account. `rules` may be replaced at any time; it decides what begins after that."""

    def __init__(self, rules: Rules, faults: FaultBook, ids: IdSource, catalogue: Catalogue) -> None:
        self.rules = rules
        self._faults = faults
        self._ids = ids
        self._catalogue = catalogue
        self._state = _State()

    @property
    def instances(self) -> list[Instance]:
        """Every instance, in the order of creation, as of the last advance."""
        return list(self._state.instances.values())

    @property
    def creations(self) -> dict[str, Creation]:
        """Every create operation and what became of it, as of the last advance."""
        return dict(self._state.creations)

    def advance(self, now: int) -> None:
        """Let everything happen that is due by `now`, in order. A time that has passed changes nothing."""
        state = self._state
        while state.alarms and state.alarms[0][0] <= now:
            at, _, alarm = heapq.heappop(state.alarms)
            alarm(at)
        state.now = max(state.now, now)

    def later(self, at: int, action: Callable[[int], None]) -> None:
        """Let something happen at a time of its own, which it is given; a refusal then has no effect."""

        def alarm(when: int) -> None:
            with suppress(ApiError):
                action(when)

        self._wake(at, alarm)

    def create(self, request: CreateWorkflowInstances, now: int) -> str:
        """Accept a create request; returns the operation id. The instances appear when it is Created."""
        self.advance(now)
        check_create(request, self._catalogue, self.rules, now)
        self._check_room()
        operation = self._ids.operation_id()
        delay = self._faults.take(DelayCreate, lambda fault: fault.matches(request.name))
        failure = self._faults.take(FailCreate, lambda fault: fault.matches(request.name))
        self._state.creations[operation] = Creation("Creating")
        at = now + millis(delay.seconds if delay else self.rules.create_seconds)
        self._wake(at, lambda when: self._finish_create(operation, request, failure, when))
        self.advance(now)
        return operation

    def creation(self, operation: str, now: int) -> Creation:
        """What became of a create operation. Raises ApiError for an unknown one."""
        self.advance(now)
        if operation not in self._state.creations:
            raise not_found("Operation", operation)
        return self._state.creations[operation]

    def start(self, ids: Iterable[int], now: int) -> dict[int, Entry]:
        """Start instances, or queue them behind their parents; one entry for each id."""
        self.advance(now)
        entries = {identity: self._start(identity, now) for identity in dict.fromkeys(ids)}
        self.advance(now)
        return entries

    def stop(self, ids: Iterable[int], now: int) -> dict[int, Entry]:
        """Ask for stops, which settle later; one entry for each id."""
        self.advance(now)
        entries = {identity: self._stop(identity, now) for identity in dict.fromkeys(ids)}
        self.advance(now)
        return entries

    def instance(self, identity: int, now: int) -> Instance:
        """One instance. Raises ApiError if it does not exist."""
        self.advance(now)
        found = self._state.instances.get(identity)
        if found is None:
            raise not_found("WorkflowInstance", identity)
        return found

    def task_owner(self, task_instance: int, now: int) -> Instance:
        """The instance in which a task instance runs. Raises ApiError if there is none."""
        self.advance(now)
        if task_instance not in self._state.task_owners:
            raise not_found("TaskInstance", task_instance)
        return self._state.instances[self._state.task_owners[task_instance]]

    def execute_adhoc(self, request: ExecuteAdhocWorkflowInstance, now: int) -> int:
        """Run tasks at once; returns the instance id."""
        self.advance(now)
        self._check_room()
        instance = adhoc_instance(request, self.rules, self._ids, now)
        self._add(instance)
        self._begin(instance.id, now)
        return instance.id

    def schedule(self, order: Scheduled, now: int) -> int:
        """Make an instance as the scheduler does; returns its id."""
        self.advance(now)
        self._check_room()
        instance = scheduled_instance(order, self._catalogue, self.rules, self._ids, now)
        self._add(instance)
        if order.starts:
            self._begin(instance.id, now)
        return instance.id

    def rerun(self, request: RerunWorkflowInstances, now: int) -> str:
        """Accept a rerun of ended instances of a manual workflow; returns the operation id."""
        self.advance(now)
        self._check_room()
        operation = self._ids.operation_id()
        self._state.reruns[operation] = Rerunning("NotRun")
        at = now + millis(self.rules.rerun_seconds)
        self._wake(at, lambda when: self._finish_rerun(operation, request, when))
        self.advance(now)
        return operation

    def rerunning(self, operation: str, now: int) -> Rerunning:
        """What became of a rerun operation. Raises ApiError for an unknown one."""
        self.advance(now)
        if operation not in self._state.reruns:
            raise not_found("Operation", operation)
        return self._state.reruns[operation]

    def rerun_one(self, identity: int, now: int) -> None:
        """Begin a new run of an ended instance. Raises ApiError if it does not exist or has not ended."""
        instance = self.instance(identity, now)
        if not instance.run.over:
            raise ApiError("InvalidStatus", 400, f"The instance is {instance.status}.")
        self._rerun(instance, now)

    def rerun_task(self, identity: int, index: int, now: int) -> None:
        """Run an ended instance again from its task of `index` on; the tasks before it stay as they are."""
        self._rerun(self.instance(identity, now), now, first=index)

    def grant_task(self, identity: int, index: int, now: int) -> None:
        """Set a failed task to success: the instance goes on behind it, or ends in Success after its last one."""
        instance = self.instance(identity, now)
        instance = replace(instance, run=grant(instance.run, index))
        if index + 1 < len(instance.tasks):
            self._rerun(instance, now, first=index + 1)
            return
        self._set_run(instance, redeem(instance.run, now), now)
        self._release_children(identity, now)

    def pause_task(self, identity: int, task_instance: int, now: int, *, paused: bool) -> None:
        """Suspend a task instance, or resume it. That is shown, and holds nothing back."""
        instance = self.instance(identity, now)
        others = instance.paused - {task_instance}
        chosen = others | {task_instance} if paused else others
        self._state.instances[identity] = replace(instance, paused=chosen, modify_time=now)

    def finish_one(self, identity: int, outcome: Status, now: int) -> None:
        """End a running instance with `outcome` (Success or Failure), as a user of the console would."""
        instance = self.instance(identity, now)
        self._set_run(instance, end(instance.run, outcome, now), now)
        self._release_children(identity, now)

    def touch(self, identity: int, user: str, now: int) -> None:
        """Note that `user` modified an instance."""
        instance = self.instance(identity, now)
        self._state.instances[identity] = replace(instance, modify_user=user, modify_time=now)

    def _check_room(self) -> None:
        state = self._state
        if max(len(state.instances), len(state.creations), len(state.reruns)) >= self.rules.max_instances:
            raise ApiError("Throttling.Resource", 429, "The number of instances has reached its limit.")

    def _finish_create(
        self, operation: str, request: CreateWorkflowInstances, failure: FailCreate | None, at: int
    ) -> None:
        if failure is not None:
            self._state.creations[operation] = Creation("CreateFailure", failure=failure.message)
            return
        made = instances_of(request, self._catalogue, self.rules, self._ids, at)
        for instance in made:
            self._add(instance)
        self._state.creations[operation] = Creation("Created", tuple(one.id for one in made))
        for instance in made:
            if instance.named and self._waits_for(instance, self.rules.release) is None:
                self._begin(instance.id, at)

    def _finish_rerun(self, operation: str, request: RerunWorkflowInstances, at: int) -> None:
        targets = rerun_targets(self.instances, request)
        for instance in targets:
            self._rerun(instance, at)
        self._state.reruns[operation] = (
            Rerunning("Success") if targets else Rerunning("Failure", "No instance matches.")
        )

    def _start(self, identity: int, now: int) -> Entry:
        language = self.rules.language
        instance = self._state.instances.get(identity)
        if instance is None:
            return Entry(False, messages.absent(language))
        if instance.status is not Status.NOT_RUN:
            return Entry(False, messages.not_startable(language, identity, instance.status))
        self._state.instances[identity] = replace(instance, named=True)
        parent = self._waits_for(instance, self.rules.release)
        if parent is not None:
            return Entry(False, messages.blocked(language, parent))
        self._begin(identity, now)
        return Entry(True)

    def _stop(self, identity: int, now: int) -> Entry:
        language = self.rules.language
        instance = self._state.instances.get(identity)
        if instance is None:
            return Entry(False, messages.absent(language))
        if instance.run.over:
            return Entry(False, messages.not_stoppable(language, identity, instance.status))
        day, name = business_date(instance.biz_date), instance.name
        stuck = self._faults.take(StuckStop, lambda fault: fault.matches_instance(identity, day, name))
        run = ask_stop(instance.run, freeze=stuck is not None)
        self._state.instances[identity] = replace(instance, run=run, named=False)
        if stuck is None and self._stop_settles(run):
            at = now + millis(self.rules.stop_seconds)
            self._wake(at, lambda when: self._settle_stop(identity, run.number, when))
        return Entry(True)

    def _stop_settles(self, run: Run) -> bool:
        return run.status is not Status.NOT_RUN or self.rules.stop_not_run == "fails"

    def _settle_stop(self, identity: int, number: int, at: int) -> None:
        instance = self._state.instances.get(identity)
        if instance is not None and instance.run.number == number and not instance.run.over:
            self._set_run(instance, end(instance.run, Status.FAILURE, at), at)
            self._release_children(identity, at)

    def _begin(self, identity: int, at: int) -> None:
        instance = self._state.instances[identity]
        plan = plan_for(instance, self.rules, self._faults)
        self._set_run(instance, begin(instance.run, plan, at), at)

    def _proceed(self, identity: int, number: int, step: int, at: int) -> None:
        instance = self._state.instances.get(identity)
        if instance is None or (instance.run.number, instance.run.step) != (number, step):
            return
        self._set_run(instance, proceed(instance.run, at), at)
        self._release_children(identity, at)

    def _rerun(self, instance: Instance, at: int, *, first: int = 0) -> None:
        past = (*instance.past, instance.run)[-MAX_PAST_RUNS:]
        fresh = replace(instance, past=past, run=again(instance.run, first=first))
        self._state.instances[instance.id] = fresh
        self._begin(instance.id, at)

    def _set_run(self, instance: Instance, run: Run, at: int) -> None:
        self._state.instances[instance.id] = replace(instance, run=run, modify_time=at)
        if run.due_at is not None:
            self._wake(run.due_at, lambda when: self._proceed(instance.id, run.number, run.step, when))

    def _release_children(self, identity: int, at: int) -> None:
        if self._state.instances[identity].run.over and self.rules.auto_start != "never":
            for child in self._state.children.get(identity, ()):
                self._wake(at + millis(self.rules.auto_start_delay_seconds), self._adopter(child))

    def _adopter(self, child: int) -> Alarm:
        def adopt(at: int) -> None:
            instance = self._state.instances.get(child)
            if instance is None:
                return
            queued = instance.named or self.rules.auto_start_scope == "all"
            free = self.rules.auto_start != "never" and not self._waits_for(instance, self.rules.auto_start)
            if instance.status is Status.NOT_RUN and queued and free:
                self._begin(child, at)

        return adopt

    def _waits_for(self, instance: Instance, condition: str) -> int | None:
        """The first parent that holds `instance` back; `condition` names the end that lets it go."""
        for parent in instance.parents:
            found = self._state.instances.get(parent)
            if found is not None and not _lets_go(found.run, condition):
                return parent
        return None

    def _add(self, instance: Instance) -> None:
        self._state.instances[instance.id] = instance
        for parent in instance.parents:
            self._state.children.setdefault(parent, []).append(instance.id)
        for task in instance.tasks:
            self._state.task_owners[task.id] = instance.id
        gone_at = instance.create_time + millis(self.rules.retention_days * _DAY_SECONDS)
        self._wake(gone_at, lambda _: self._forget(instance))

    def _forget(self, instance: Instance) -> None:
        del self._state.instances[instance.id]
        self._state.children.pop(instance.id, None)
        for task in instance.tasks:
            del self._state.task_owners[task.id]

    def _wake(self, at: int, alarm: Alarm) -> None:
        self._state.alarm_count += 1
        heapq.heappush(self._state.alarms, (at, self._state.alarm_count, alarm))


def _lets_go(run: Run, condition: str) -> bool:
    return run.over and (condition != "success_only" or run.status is Status.SUCCESS)
