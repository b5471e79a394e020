"""Which of a run's tasks failed first."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.rules.diagnosis import first_failed
from tests.worker.core.rules.test_diagnosis import task


@pytest.mark.parametrize(
    ("tasks", "first"),
    [
        ((), None),
        ((task(1, status="Success"),), None),
        ((task(1, finished_time=timestamp(9)), task(2, finished_time=timestamp(8))), 2),
        ((task(1), task(2, finished_time=timestamp(8))), 2),
        ((task(1, started_time=timestamp(7)), task(2, finished_time=timestamp(8))), 1),
        ((task(2), task(1)), 1),
        ((task(1), task(1, status="Success", run_number=2)), None),
        ((task(1, status="Success", run_number=2), task(1), task(3)), 3),
        ((task(1), task(1, run_number=2)), 1),
    ],
)
def test_the_task_that_failed_first_is_told(tasks: tuple[pb.TaskInstance, ...], first: int | None) -> None:
    found = first_failed(tasks)

    assert (found.id if found else None) == first
