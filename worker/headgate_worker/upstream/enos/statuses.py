"""The one table of EnOS' status numbers and words (List Flow Instances, FlowInstanceStatus)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from headgate import pb

STATUSES: Final[Mapping[int, pb.FlowInstanceStatus.ValueType]] = {
    -1: pb.FLOW_INSTANCE_STATUS_FAIL,
    0: pb.FLOW_INSTANCE_STATUS_INIT,
    1: pb.FLOW_INSTANCE_STATUS_SUCCESS,
    2: pb.FLOW_INSTANCE_STATUS_RUNNING,
    3: pb.FLOW_INSTANCE_STATUS_SUSPEND,
    4: pb.FLOW_INSTANCE_STATUS_INTERNAL_ERROR,
    5: pb.FLOW_INSTANCE_STATUS_WAIT,
    6: pb.FLOW_INSTANCE_STATUS_READY,
    7: pb.FLOW_INSTANCE_STATUS_TIMEOUT,
    8: pb.FLOW_INSTANCE_STATUS_CANCEL,
    9: pb.FLOW_INSTANCE_STATUS_RERUN,
    10: pb.FLOW_INSTANCE_STATUS_SKIP,
}
"""Number to status. A number that is not here is UNSPECIFIED, which is never taken for an end."""

NUMBERS: Final[Mapping[pb.FlowInstanceStatus.ValueType, int]] = {value: number for number, value in STATUSES.items()}
"""Status to number, for searches."""

_PREFIX: Final = "FLOW_INSTANCE_STATUS_"

WORDS: Final[Mapping[str, pb.FlowInstanceStatus.ValueType]] = {
    pb.FlowInstanceStatus.Name(value).removeprefix(_PREFIX): value for value in STATUSES.values()
}
"""EnOS' own word to status."""


def status_of(number: int | None, word: str) -> pb.FlowInstanceStatus.ValueType:
    """The status in a reply: by its number, and by its word only where there is no number."""
    if number is not None:
        return STATUSES.get(number, pb.FLOW_INSTANCE_STATUS_UNSPECIFIED)
    return WORDS.get(word.strip().upper(), pb.FLOW_INSTANCE_STATUS_UNSPECIFIED)
