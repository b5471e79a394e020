"""No event leaves without a sentence, whatever its rule left out."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate.job.lifecycle import JOB_TRANSITIONS
from headgate_worker.core.model.steps import operation_changed, runs_changed, stamp

ROW = pb.InstanceRun(workflow_instance_id=7, state=pb.RUN_STATE_CREATED)
MOVES = [(before, after) for before, others in JOB_TRANSITIONS.items() for after in [before, *others]]


@pytest.mark.parametrize("kind", pb.EventType.values())
def test_an_event_of_any_kind_and_any_move_has_a_sentence(kind: pb.EventType.ValueType) -> None:
    for before, after in MOVES:
        job = pb.Job(name="jobs/x", revision=1, state=before, runs=[ROW])
        bare = stamp(job, pb.JobEvent(type=kind, state=after), now_ms=0)
        rows = stamp(job, pb.JobEvent(type=kind, state=after, runs=[ROW]), now_ms=0)

        assert bare.message.startswith("the job is ") and rows.message == "instance 7 is created"


def test_what_a_rule_says_stands() -> None:
    job = pb.Job(name="jobs/x", revision=1, state=pb.JOB_STATE_RUNNING)
    operation = pb.UpstreamOperation(action="TriggerFlow", outcome=pb.OPERATION_OUTCOME_ACCEPTED)

    assert stamp(job, runs_changed(ROW, message="seen"), now_ms=0).message == "seen"
    assert stamp(job, runs_changed(ROW, ROW, message=""), now_ms=0).message == "2 runs changed"
    assert stamp(job, operation_changed(operation, message=""), now_ms=0).message == "TriggerFlow accepted"
