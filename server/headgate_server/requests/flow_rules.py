"""What the field rules of flow requests can't state. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_server.requests.date_rules import Violation

_LATEST_SECONDS: Final = 4_102_444_800
"""The year 2100: a later trigger time is a mistake, such as milliseconds taken for seconds."""


def trigger(request: pb.TriggerFlowRequest) -> Iterator[Violation]:
    """TriggerFlow."""
    spec = request.spec
    if spec.from_task_id and spec.parameters:
        yield "spec.parameters", "can't be combined with from_task_id"
    keys = [parameter.key for parameter in spec.parameters]
    if len(set(keys)) < len(keys):
        yield "spec.parameters", "name a key twice"
    if spec.HasField("trigger_time") and not _is_sound(spec.trigger_time):
        yield "spec.trigger_time", "is not a time from 1970 to 2100"


def cancel(request: pb.CancelFlowInstanceRequest) -> Iterator[Violation]:
    """CancelFlowInstance."""
    if request.until == pb.UNTIL_STARTED:
        yield "until", "a cancel can be followed until ACCEPTED or FINISHED"


def listing(request: pb.ListFlowInstancesRequest) -> Iterator[Violation]:
    """ListFlowInstances."""
    start, end = request.from_trigger_time, request.to_trigger_time
    for name in ("from_trigger_time", "to_trigger_time"):
        if not request.HasField(name):
            yield name, "is needed: a list is of a window of trigger times"
        elif not _is_sound(getattr(request, name)):
            yield name, "is not a time from 1970 to 2100"
    if request.HasField("to_trigger_time") and (end.seconds, end.nanos) <= (start.seconds, start.nanos):
        yield "to_trigger_time", "lies not after from_trigger_time"


def _is_sound(time: Timestamp) -> bool:
    return 0 <= time.seconds < _LATEST_SECONDS and 0 <= time.nanos < 1_000_000_000
