"""The writes about single task instances: run again, set to success, stop, suspend, resume.

One entry for each id. A task may be run again or set to success only once its workflow instance has ended (assumed);
what stands behind it in the workflow instance then runs too.
"""

from collections.abc import Callable, Iterable, Mapping

from headgate_emulator.dataworks import messages
from headgate_emulator.dataworks.errors import ApiError
from headgate_emulator.dataworks.instances import Entry, Instance
from headgate_emulator.dataworks.statuses import TERMINAL, Status
from headgate_emulator.dataworks.tasks import TaskRow, task_row
from headgate_emulator.dataworks.world import World

TaskAct = Callable[[World, TaskRow, int], Entry]


def on_tasks(world: World, act: TaskAct, ids: Iterable[int], now: int) -> dict[int, Entry]:
    """Do one thing to each task instance; one that is not there is refused alone."""
    return {identity: _on_task(world, act, identity, now) for identity in dict.fromkeys(ids)}


def _on_task(world: World, act: TaskAct, identity: int, now: int) -> Entry:
    try:
        owner = world.task_owner(identity, now)
    except ApiError:
        return Entry(False, messages.absent(world.rules.language))
    return act(world, task_row(owner, identity, now), now)


def rerun(world: World, row: TaskRow, now: int) -> Entry:
    """Run it again, and what stands behind it."""
    if not row.instance.run.over or row.status not in TERMINAL:
        return _refused(world, row)
    world.rerun_task(row.instance.id, _index(row.instance, row), now)
    return Entry(True)


def set_success(world: World, row: TaskRow, now: int) -> Entry:
    """Set it to success, and run what stands behind it."""
    if not row.instance.run.over or row.status is not Status.FAILURE:
        return _refused(world, row)
    world.grant_task(row.instance.id, _index(row.instance, row), now)
    return Entry(True)


def stop(world: World, row: TaskRow, now: int) -> Entry:
    """Stop it, and its workflow instance with it, which settles later."""
    if row.status is not Status.RUNNING:
        return _refused(world, row)
    return world.stop([row.instance.id], now)[row.instance.id]


def suspend(world: World, row: TaskRow, now: int) -> Entry:
    """Show it as paused."""
    world.pause_task(row.instance.id, row.task.id, now, paused=True)
    return Entry(True)


def resume(world: World, row: TaskRow, now: int) -> Entry:
    """Show it as paused no more."""
    world.pause_task(row.instance.id, row.task.id, now, paused=False)
    return Entry(True)


ACTS: Mapping[str, TaskAct] = {
    "RerunTaskInstances": rerun,
    "SetSuccessTaskInstances": set_success,
    "StopTaskInstances": stop,
    "SuspendTaskInstances": suspend,
    "ResumeTaskInstances": resume,
}
"""By name of the operation."""


def _index(instance: Instance, row: TaskRow) -> int:
    return [task.id for task in instance.tasks].index(row.task.id)


def _refused(world: World, row: TaskRow) -> Entry:
    return Entry(False, messages.wrong_status(world.rules.language, row.task.id, row.status))
