"""Which calls put a stop on record, what their answers say of it, and which reads ask for the records."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.facts.stop_records import answers, recorded_for, stopped_ids
from headgate_worker.core.model.calls import Call, FailureKind, GetInstance, Outcome, PerInstance, StopInstances
from headgate_worker.core.model.flow_calls import CancelFlow, FlowCancelled, GetFlow
from tests.worker.core.building import FAILURE, RUNNING, SUCCESS, failure, reply, seen

STOP, CANCEL = StopInstances((100, 101)), CancelFlow("7-1")


@pytest.mark.parametrize(("call", "ids"), [(STOP, (100, 101)), (CANCEL, ("7-1",)), (GetInstance(100), ())])
def test_only_a_stop_stops_instances(call: Call, ids: tuple[int | str, ...]) -> None:
    assert stopped_ids(call) == ids


def test_a_stop_says_it_for_each_instance_and_one_that_is_left_out_was_not_accepted() -> None:
    assert answers(STOP, reply({100: PerInstance(success=True)})) == {100: True, 101: False}
    assert answers(STOP, reply({100: PerInstance(success=False, message="no"), 101: PerInstance(success=True)})) == {
        100: False,
        101: True,
    }


def test_a_cancel_that_is_answered_was_accepted() -> None:
    assert answers(CANCEL, reply(FlowCancelled())) == {"7-1": True}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (FailureKind.REFUSED, {100: False, 101: False}),
        (FailureKind.THROTTLED, {100: False, 101: False}),
        (FailureKind.TRANSIENT, {}),
        (FailureKind.AMBIGUOUS, {}),
    ],
)
def test_a_refused_stop_is_taken_back_and_one_without_an_answer_stands(
    kind: FailureKind, said: dict[int, bool]
) -> None:
    assert answers(STOP, failure(kind)) == said


def flow(status: pb.FlowInstanceStatus.ValueType) -> pb.FlowInstance:
    return pb.FlowInstance(instance_id="7-1", status=status)


@pytest.mark.parametrize(
    ("call", "outcome", "instance"),
    [
        (GetInstance(100), reply(seen(100, FAILURE)), 100),
        (GetInstance(100), reply(seen(100, SUCCESS)), None),
        (GetInstance(100), reply(seen(100, RUNNING)), None),
        (GetInstance(100), failure(FailureKind.NOT_FOUND), None),
        (GetFlow("7-1"), reply(flow(pb.FLOW_INSTANCE_STATUS_CANCEL)), "7-1"),
        (GetFlow("7-1"), reply(flow(pb.FLOW_INSTANCE_STATUS_FAIL)), None),
        (STOP, reply({100: PerInstance(success=True)}), None),
    ],
)
def test_records_are_read_with_an_end_that_a_stop_may_have_caused(
    call: Call, outcome: Outcome, instance: int | str | None
) -> None:
    assert recorded_for(call, outcome) == instance
