"""Which quota a call counts against."""

import pytest

from headgate_worker.core.model.calls import Call, GetInstance, StartInstances, StopInstances
from headgate_worker.core.model.flow_calls import CancelFlow, GetFlow, TriggerFlow
from headgate_worker.ports.upstreams import class_of


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (StartInstances((1,)), "write"),
        (StopInstances((1,)), "write"),
        (TriggerFlow(1, 0), "write"),
        (CancelFlow("1-1"), "write"),
        (GetInstance(1), "read"),
        (GetFlow("1-1"), "read"),
    ],
)
def test_a_call_that_changes_something_counts_as_a_write(call: Call, wanted: str) -> None:
    assert class_of(call) == wanted
