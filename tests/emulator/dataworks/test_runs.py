"""One run of a task from its begin to its end."""

import pytest

from headgate_emulator.dataworks.runs import Failure, Phase, Plan, Run, again, begin, end, proceed
from headgate_emulator.dataworks.statuses import IllegalMove, Status


def test_a_run_takes_its_phases_in_order() -> None:
    phases = (Phase(Status.WAIT_TIME, 5), Phase(Status.WAIT_RESOURCE, 5), Phase(Status.RUNNING, 5))
    run = begin(Run(), Plan(phases, Failure("t", "log")), 100)
    seen = [run.status]

    while run.due_at is not None:
        run = proceed(run, run.due_at)
        seen.append(run.status)

    assert seen == [Status.WAIT_TIME, Status.WAIT_RESOURCE, Status.RUNNING, Status.FAILURE]
    assert (run.started_at, run.finished_at, again(run).number) == (110, 115, 2)


def test_a_run_that_has_not_begun_or_has_ended_does_not_move() -> None:
    with pytest.raises(IllegalMove):
        proceed(Run(), 1)
    with pytest.raises(IllegalMove):
        end(end(begin(Run(), Plan((Phase(Status.RUNNING, 1),)), 0), Status.FAILURE, 1), Status.SUCCESS, 2)
