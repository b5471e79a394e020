"""For how long watchers leave an instance to the job that follows it."""

import pytest

from headgate import pb
from headgate_worker.core.facts.follow_window import MARGIN_MS, RELEASED_MS, UNTOUCHED_MS, follow_ms
from headgate_worker.core.model.view import Hints

NOW_MS = 1_000_000


def job(state: pb.JobState.ValueType = pb.JOB_STATE_RUNNING) -> pb.Job:
    first = pb.InstanceRun(index=0, workflow_instance_id=11, state=pb.RUN_STATE_RUNNING)
    second = pb.InstanceRun(index=1, workflow_instance_id=12, blocked_by_id=99, state=pb.RUN_STATE_BLOCKED)
    flow = pb.InstanceRun(index=2, flow_instance_id="2-1", state=pb.RUN_STATE_RUNNING)
    return pb.Job(state=state, runs=[first, second, flow])


def row(id_: int) -> pb.WorkflowInstance:
    return pb.WorkflowInstance(id=id_)


def test_watchers_wait_for_the_next_read_of_the_job() -> None:
    hints = Hints().poll(0, NOW_MS + 15_000).poll(1, NOW_MS + 60_000).poll(2, NOW_MS - 5)

    assert follow_ms(job(), hints, 0, row(11), NOW_MS) == 15_000 + MARGIN_MS
    assert follow_ms(job(), hints, 1, row(12), NOW_MS) == 60_000 + MARGIN_MS
    assert follow_ms(job(), hints, 1, row(99), NOW_MS) == 60_000 + MARGIN_MS, "the parent that it waits for"
    assert follow_ms(job(), hints, 2, pb.FlowInstance(instance_id="2-1"), NOW_MS) == MARGIN_MS - 5


def test_what_the_job_reads_no_more_is_let_go_of() -> None:
    hints = Hints().poll(0, NOW_MS + 15_000)

    assert follow_ms(job(), hints.forget(0), 0, row(11), NOW_MS) == RELEASED_MS
    assert follow_ms(job(pb.JOB_STATE_SUCCEEDED), hints, 0, row(11), NOW_MS) == RELEASED_MS


@pytest.mark.parametrize("subject", [-1, 0, 3])
def test_a_read_for_another_purpose_says_nothing(subject: int) -> None:
    assert follow_ms(job(), Hints().poll(0, NOW_MS + 15_000), subject, row(77), NOW_MS) == UNTOUCHED_MS
