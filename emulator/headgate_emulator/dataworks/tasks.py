"""Derive the task instances of an instance: which runs now, which has ended, what its log says.

Pure, and nothing is stored: the tasks of a run share its Running time equally, one after another. If the run
is to fail, the failing task takes the last share and those after it never run. A run that began at a later task has the
tasks before it from the run before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headgate_emulator.dataworks.errors import not_found
from headgate_emulator.dataworks.instances import Instance, TaskInstance
from headgate_emulator.dataworks.listing import Paged, SortKey, among, fuzzy, in_order, page, same
from headgate_emulator.dataworks.requests import ListTaskInstances
from headgate_emulator.dataworks.runs import Run
from headgate_emulator.dataworks.statuses import TERMINAL, Status


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One run of one task instance. Times are epoch ms; `log` is what the run has written so far."""

    instance: Instance
    task: TaskInstance
    name: str
    run_number: int
    status: Status
    started_at: int | None
    finished_at: int | None
    dry_run: bool
    log: str


RESOURCE_GROUP = "Serverless_res_group_emulator"
"""Where every task runs."""


def trigger_type(row: TaskRow) -> str:
    """How the task was triggered."""
    return "Scheduler" if row.instance.type in ("Normal", "SupplementData") else "Manual"


def trigger_recurrence(row: TaskRow) -> str:
    """How its recurrence was treated; Skip marks a dry run, Pause one that was suspended (assumed)."""
    if row.task.id in row.instance.paused:
        return "Pause"
    return "Skip" if row.dry_run else "Normal"


def owner(row: TaskRow) -> str:
    """Account id of its owner."""
    return row.instance.owner or row.instance.create_user


TASK_KEYS: Mapping[str, SortKey[TaskRow]] = {
    "Id": lambda row: row.task.id,
    "CreateTime": lambda row: row.instance.create_time,
    "TriggerTime": lambda row: row.instance.create_time,
    "StartedTime": lambda row: row.started_at or 0,
    "FinishedTime": lambda row: row.finished_at or 0,
}


def rows_of(instance: Instance, run: Run, now: int) -> list[TaskRow]:
    """The tasks of one run, in running order."""
    failing = _failing_index(instance, run)
    last = len(instance.tasks) - 1 if failing is None else failing
    before = next((one for one in instance.past if one.number == run.number - 1), None) if run.first else None
    earlier = rows_of(instance, before, now)[: run.first] if before is not None else []
    own = range(len(earlier), len(instance.tasks))
    return [*earlier, *(_row(instance, run, index, last, failing == index, now) for index in own)]


def listed_tasks(instances: Iterable[Instance], query: ListTaskInstances, now: int) -> Paged[TaskRow]:
    """The page that `query` asks for; with an `Id` every run of that task instance, else the latest runs."""
    rows = [
        row
        for one in instances
        if one.visible_at <= now and _instance_matches(one, query)
        for run in ((*one.past, one.run) if query.id is not None else (one.run,))
        for row in rows_of(one, run, now)
        if _row_matches(row, query)
    ]
    return page(in_order(rows, query.sort_by, TASK_KEYS), query.page_number, query.page_size)


def task_row(instance: Instance, identity: int, now: int, *, run_number: int | None = None) -> TaskRow:
    """One run of a task instance, the latest unless `run_number` says otherwise. Raises ApiError."""
    for run in reversed((*instance.past, instance.run)):
        if run_number in (None, run.number):
            return next(row for row in rows_of(instance, run, now) if row.task.id == identity)
    raise not_found("RunNumber", run_number)


def _failing_index(instance: Instance, run: Run) -> int | None:
    failure = run.plan.failure if run.plan else None
    if failure is None or not instance.tasks:
        return None
    names = [task.spec.name for task in instance.tasks]
    named = names.index(failure.task_name) if failure.task_name in names else len(names) - 1
    return max(named, run.first)


def _row(instance: Instance, run: Run, index: int, last: int, fails: bool, now: int) -> TaskRow:
    task = instance.tasks[index]
    started, finished = _span(run, index, last, now)
    status = Status.SUCCESS if index in run.granted else _status(run, started, finished, fails)
    failure = run.plan.failure if run.plan and fails else None
    dry_run = bool(run.plan and run.plan.runs_dry(task.spec.name))
    return TaskRow(
        instance=instance,
        task=task,
        name=failure.task_name if failure else task.spec.name,
        run_number=run.number,
        status=status,
        started_at=started,
        finished_at=finished,
        dry_run=dry_run,
        log=_log(status, dry_run, failure.log if failure else None),
    )


def _span(run: Run, index: int, last: int, now: int) -> tuple[int | None, int | None]:
    """When the task's share of the run began and ended; None for what has not happened."""
    if run.plan is None or run.started_at is None or index > last:
        return None, None
    share = run.plan.running_ms / (last + 1 - run.first)
    begins = run.started_at + round(share * (index - run.first))
    ends = run.started_at + round(share * (index + 1 - run.first))
    until = now if run.finished_at is None else run.finished_at
    if begins > until or begins == until < ends:
        return None, None
    if run.finished_at is not None:
        return begins, min(ends, run.finished_at)
    # The last task of a run that is still Running is at work, however late it is: its end is the run's end.
    at_work = run.status is Status.RUNNING and index == last
    return begins, None if at_work or ends > now else ends


def _status(run: Run, started: int | None, finished: int | None, fails: bool) -> Status:
    if started is None:
        return run.status if run.status not in TERMINAL | {Status.RUNNING, Status.CHECKING} else Status.NOT_RUN
    if finished is None:
        return Status.RUNNING
    failed = run.status is Status.FAILURE and (fails or finished == run.finished_at)
    return Status.FAILURE if failed else Status.SUCCESS


def _log(status: Status, dry_run: bool, failure: str | None) -> str:
    if status not in TERMINAL | {Status.RUNNING}:
        return ""
    lines = ["INFO dry run: the task was not executed"] if dry_run else ["INFO task begins"]
    if status is Status.SUCCESS:
        lines.append("INFO task ends, exit code 0")
    if status is Status.FAILURE:
        lines += [failure or "INFO killed on request", "ERROR task ends, exit code 1"]
    return "\n".join(lines) + "\n"


def _instance_matches(one: Instance, query: ListTaskInstances) -> bool:
    return all(
        (
            same(query.project_id, one.project_id),
            same(query.bizdate, one.biz_date),
            same(query.workflow_instance_id, one.id),
            same(query.unified_workflow_instance_id, one.id),
            same(query.workflow_id, one.workflow_id),
            same(query.workflow_instance_type, one.type),
            same(query.project_env, one.env_type),
        )
    )


def _row_matches(row: TaskRow, query: ListTaskInstances) -> bool:
    return all(
        (
            same(query.id, row.task.id),
            among(query.ids, row.task.id),
            same(query.task_id, row.task.spec.id),
            among(query.task_ids, row.task.spec.id),
            fuzzy(query.task_name, row.name),
            same(query.task_type, row.task.spec.type),
            same(query.status, row.status),
            same(query.trigger_type, trigger_type(row)),
            same(query.trigger_recurrence, trigger_recurrence(row)),
            same(query.owner, owner(row)),
            same(query.runtime_resource, RESOURCE_GROUP),
        )
    )
