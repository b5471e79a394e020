"""Decide how a run will go: the rules, changed by the faults that match it."""

from headgate_emulator.dataworks.dates import business_date
from headgate_emulator.dataworks.instances import Instance
from headgate_emulator.dataworks.rules import Rules
from headgate_emulator.dataworks.runs import Failure, Phase, Plan
from headgate_emulator.dataworks.statuses import Status
from headgate_emulator.fault_book import FaultBook
from headgate_emulator.faults import DryRun, FailRun, RunFor

DEFAULT_FAILING_TASK = "task"


def plan_for(instance: Instance, rules: Rules, faults: FaultBook) -> Plan:
    """The plan of the run that `instance` is about to begin; uses up the faults it meets."""
    day, name = business_date(instance.biz_date), instance.name
    duration = faults.take(RunFor, lambda fault: fault.matches(day, name))
    failing = faults.take(FailRun, lambda fault: fault.matches(day, name))
    dry = faults.take(DryRun, lambda fault: fault.matches(day, name))
    seconds = duration.seconds if duration else rules.run_seconds
    dry_task = dry.task_name if dry else None
    return Plan(_phases(rules, seconds), _failure(instance, failing), dry_run=dry is not None, dry_task=dry_task)


def millis(seconds: float) -> int:
    """Seconds as whole milliseconds."""
    return round(seconds * 1000)


def _phases(rules: Rules, run_seconds: float) -> tuple[Phase, ...]:
    spans = (
        (Status.WAIT_TIME, rules.wait_time_seconds),
        (Status.CHECKING_CONDITION, rules.condition_seconds),
        (Status.WAIT_RESOURCE, rules.wait_resource_seconds),
        (Status.RUNNING, run_seconds),
        (Status.CHECKING, rules.checking_seconds),
    )
    return tuple(Phase(status, millis(span)) for status, span in spans if span or status is Status.RUNNING)


def _failure(instance: Instance, fault: FailRun | None) -> Failure | None:
    if fault is None:
        return None
    last = instance.tasks[-1].spec.name if instance.tasks else DEFAULT_FAILING_TASK
    return Failure(fault.task_name or last, fault.log)
