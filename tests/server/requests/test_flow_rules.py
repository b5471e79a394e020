"""Rules of flow requests that tie several fields together."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_server.requests import flow_rules

Y2100 = 4_102_444_800


def paths(found: object) -> list[str]:
    return [path for path, _ in found]  # type: ignore[attr-defined]  # violations


def listed(start: Timestamp | None, end: Timestamp | None) -> list[str]:
    return paths(flow_rules.listing(pb.ListFlowInstancesRequest(from_trigger_time=start, to_trigger_time=end)))


def at(seconds: int, nanos: int = 0) -> Timestamp:
    return Timestamp(seconds=seconds, nanos=nanos)


def test_a_part_of_a_flow_takes_no_parameters() -> None:
    spec = pb.TriggerFlowSpec(from_task_id=7, parameters=[pb.FlowParameter(key="a")])

    assert paths(flow_rules.trigger(pb.TriggerFlowRequest(spec=spec))) == ["spec.parameters"]


def test_a_parameter_stands_once() -> None:
    spec = pb.TriggerFlowSpec(parameters=[pb.FlowParameter(key=key) for key in ("a", "b", "a")])

    assert paths(flow_rules.trigger(pb.TriggerFlowRequest(spec=spec))) == ["spec.parameters"]


@pytest.mark.parametrize(
    ("time", "is_fine"),
    [
        (at(0), True),
        (at(Y2100 - 1), True),
        (at(Y2100), False),
        (at(1_700_000_000_000), False),
        (at(-1), False),
        (at(5, -1), False),
    ],
)
def test_a_trigger_time_lies_from_1970_to_2100(time: Timestamp, is_fine: bool) -> None:
    found = paths(flow_rules.trigger(pb.TriggerFlowRequest(spec=pb.TriggerFlowSpec(trigger_time=time))))

    assert found == ([] if is_fine else ["spec.trigger_time"])


@pytest.mark.parametrize("until", [until for until in pb.Until.values() if until])
def test_a_cancel_starts_nothing(until: pb.Until.ValueType) -> None:
    found = paths(flow_rules.cancel(pb.CancelFlowInstanceRequest(until=until)))

    assert found == (["until"] if until == pb.UNTIL_STARTED else [])


def test_a_list_is_of_a_window_that_is_not_empty() -> None:
    assert listed(at(1), at(2)) == [] and listed(at(1), at(1, 1)) == []
    assert listed(None, None) == ["from_trigger_time", "to_trigger_time"]
    assert listed(at(1), None) == ["to_trigger_time"]
    assert listed(at(2), at(2)) == listed(at(3), at(2)) == ["to_trigger_time"]
    assert listed(at(1), at(Y2100)) == ["to_trigger_time"]
