"""What a task instance shows of the effect of a call."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.model.task_calls import RerunTasks
from headgate_worker.core.rules.task import kinds
from tests.worker.core.building import NOW_MS, view
from tests.worker.core.rules.task.stories import AFTER, BEFORE, CALLS, TASK, about, seen


@pytest.mark.parametrize("kind", sorted(kinds.KINDS))
def test_the_call_of_a_kind_has_ids_and_comment(kind: str) -> None:
    call = kinds.call(view(about(kind)), (TASK,))

    assert (type(call), call.ids, call.comment) == (CALLS[kind], (TASK,), "mended")


def test_a_rerun_can_take_the_latest_configuration() -> None:
    job = about(kinds.RERUN)
    job.rerun_tasks.use_latest_config = True

    assert kinds.call(view(job), (TASK,)) == RerunTasks((TASK,), "mended", use_latest_config=True)


@pytest.mark.parametrize("kind", sorted(kinds.KINDS))
def test_what_is_so_already_needs_no_call_but_a_rerun(kind: str) -> None:
    assert kinds.is_so_already(kind, seen(**AFTER[kind])) == (kind != kinds.RERUN)
    assert not kinds.is_so_already(kind, seen(**BEFORE[kind]))


@pytest.mark.parametrize(
    ("number", "started_ms", "ran"),
    [(1, 0, False), (2, None, True), (2, 0, True), (2, -6_000, False), (1, None, False)],
)
def test_only_a_later_run_that_did_not_begin_before_the_call_is_its_own(
    number: int, started_ms: int | None, ran: bool
) -> None:
    job = about(kinds.RERUN)
    job.operations.append(pb.UpstreamOperation(intent_time=timestamp(NOW_MS)))
    run = pb.InstanceRun(task_instance_id=TASK, task_run_number=1, operation_index=0)
    read = seen(status="Running")
    read.run_number = number
    if started_ms is not None:
        read.started_time.CopyFrom(timestamp(NOW_MS + started_ms))

    assert kinds.shows_effect(view(job), run, read) == ran
