"""The state of the emulated EnOS and everything that may change it.

Like `dataworks.world`: it reads no clock and does no I/O; every method is given the time (epoch ms) and first lets
everything happen that was due by then. What upstream would refuse is raised as EnosError and changes nothing.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date

from headgate_emulator.enos import errors
from headgate_emulator.enos.errors import EnosError, bad_request
from headgate_emulator.enos.instances import MANUAL, Instance, printed_time, task_instance_id
from headgate_emulator.enos.rules import FlowRules, FlowSpec, FlowTask
from headgate_emulator.enos.statuses import Status
from headgate_emulator.fault_book import FaultBook
from headgate_emulator.faults import FailRun, RunFor, StuckStop

Alarm = Callable[[int], None]

MINUTE_MS = 60_000
MAX_INSTANCES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What a trigger asks for. `from_task` 0 begins at the beginning."""

    flow_id: int
    trigger_ms: int
    from_task: int = 0
    parameters: tuple[tuple[str, str], ...] = ()


class FlowWorld:
    """One organisation. `rules` may be replaced at any time; it decides what begins after that."""

    def __init__(self, rules: FlowRules, faults: FaultBook, seeds: Iterable[Instance]) -> None:
        self.rules = rules
        self._faults = faults
        self._instances = {one.id: one for one in seeds}
        self._queues: dict[int, list[str]] = {}
        self._alarms: list[tuple[int, int, Alarm]] = []
        self._alarm_count = 0

    @property
    def instances(self) -> list[Instance]:
        """Every instance, in the order of creation, as of the last advance."""
        return list(self._instances.values())

    def advance(self, now: int) -> None:
        """Let everything happen that is due by `now`, in order."""
        while self._alarms and self._alarms[0][0] <= now:
            at, _, alarm = heapq.heappop(self._alarms)
            alarm(at)

    def flow(self, flow_id: int) -> FlowSpec:
        """A flow. Raises EnosError if there is none."""
        found = next((flow for flow in self.rules.flows if flow.id == flow_id), None)
        if found is None:
            raise bad_request(f"flow {flow_id} does not exist")
        return found

    def instance(self, instance_id: str, now: int) -> Instance:
        """An instance. Raises EnosError if there is none."""
        self.advance(now)
        if instance_id not in self._instances:
            raise bad_request(f"flow instance {instance_id} does not exist")
        return self._instances[instance_id]

    def task(self, task_instance_id_: str, now: int) -> tuple[Instance, FlowTask]:
        """A task instance with its flow instance. Raises EnosError if there is none."""
        self.advance(now)
        for one in self._instances.values():
            for task in one.flow.tasks:
                if task_instance_id(one, task) == task_instance_id_:
                    return one, task
        raise bad_request(f"task instance {task_instance_id_} does not exist")

    def trigger(self, wish: Trigger, now: int) -> str:
        """Make an instance; it runs at its trigger time, once no other instance of its flow does. Raises EnosError."""
        self.advance(now)
        flow = self.flow(wish.flow_id)
        self._check(wish, flow)
        one = Instance(
            id=self._new_id(wish),
            flow=flow,
            type=MANUAL,
            trigger_ms=wish.trigger_ms,
            created_ms=now,
            parameters=wish.parameters,
            from_task=wish.from_task,
        )
        self._instances[one.id] = one
        self._wake(max(now, wish.trigger_ms), lambda at: self._enter(one.id, at))
        self.advance(now)
        return one.id

    def cancel(self, instance_id: str, now: int) -> None:
        """Ask for an instance's end; one that runs ends a little later. Raises EnosError."""
        one = self.instance(instance_id, now)
        if not one.flow.editable:
            raise EnosError(errors.NO_PRIVILEGE, "no privilege to cancel this flow instance")
        if one.over:
            raise bad_request(f"flow instance {instance_id} can not be cancelled in status {one.status.name}")
        self._change(one, cancel_asked=True)
        stuck = self._faults.take(StuckStop, lambda fault: fault.matches(_day(one), one.flow.name))
        if stuck is None:
            delay = self.rules.cancel_seconds if one.status is Status.RUNNING else 0
            self._wake(now + round(delay * 1000), lambda at: self._end(instance_id, Status.CANCEL, at))
        self.advance(now)

    def _check(self, wish: Trigger, flow: FlowSpec) -> None:
        if not flow.tasks:
            raise EnosError(errors.NO_TASK, "the flow has no task")
        if wish.from_task and wish.from_task not in {task.id for task in flow.tasks}:
            raise bad_request(f"task {wish.from_task} is not in the flow")
        guard = self.rules.minute_guard
        if guard == "all" or (guard == "from_task" and wish.from_task):
            self._check_minute(wish)
        if len(self._instances) >= MAX_INSTANCES:
            raise EnosError(errors.INTERNAL, "too many instances")

    def _check_minute(self, wish: Trigger) -> None:
        minute = wish.trigger_ms // MINUTE_MS
        for one in self._instances.values():
            if one.flow.id == wish.flow_id and one.trigger_ms // MINUTE_MS == minute:
                raise bad_request("the flow can not be triggered twice in one minute")

    def _new_id(self, wish: Trigger) -> str:
        stamp = printed_time(wish.trigger_ms, self.rules.trigger_zone_hours)
        wanted = f"{wish.flow_id}-" + "".join(char for char in stamp if char.isdecimal())
        taken = sum(known == wanted or known.startswith(f"{wanted}-") for known in self._instances)
        return f"{wanted}-{taken}" if taken else wanted

    def _enter(self, instance_id: str, at: int) -> None:
        """The trigger time has come: run, or wait for the instance of the same flow that runs."""
        one = self._instances[instance_id]
        if one.over:
            return
        busy = any(other.flow.id == one.flow.id and _runs(other) for other in self._instances.values())
        if busy:
            self._change(one, status=Status.WAIT)
            self._queues.setdefault(one.flow.id, []).append(instance_id)
        else:
            self._begin(one, at)

    def _begin(self, one: Instance, at: int) -> None:
        day, name = _day(one), one.flow.name
        longer = self._faults.take(RunFor, lambda fault: fault.matches(day, name))
        failure = self._faults.take(FailRun, lambda fault: fault.matches(day, name))
        end = Status.SUCCESS
        if failure is not None:
            end = Status.FAIL
            one = replace(one, fail_task=failure.task_name, fail_log=failure.log)
        self._change(one, status=Status.RUNNING, start_ms=at)
        seconds = longer.seconds if longer else self.rules.run_seconds
        self._wake(at + round(seconds * 1000), lambda when: self._end(one.id, end, when))

    def _end(self, instance_id: str, status: Status, at: int) -> None:
        one = self._instances[instance_id]
        if one.over or (one.cancel_asked and status is not Status.CANCEL):
            return
        self._change(one, status=status, end_ms=at)
        if one.status is Status.RUNNING:
            self._next(one.flow.id, at)

    def _next(self, flow_id: int, at: int) -> None:
        queue = self._queues.get(flow_id, [])
        while queue:
            one = self._instances[queue.pop(0)]
            if not one.over:
                self._begin(one, at)
                return

    def _change(self, one: Instance, **members: object) -> None:
        self._instances[one.id] = replace(one, **members)  # type: ignore[arg-type]

    def _wake(self, at: int, alarm: Alarm) -> None:
        self._alarm_count += 1
        heapq.heappush(self._alarms, (at, self._alarm_count, alarm))


def _runs(one: Instance) -> bool:
    return one.status is Status.RUNNING and not one.past


def _day(one: Instance) -> date:
    return date.fromisoformat(printed_time(one.trigger_ms, 8)[:10])
