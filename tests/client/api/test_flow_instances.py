"""Flow instances as a client watches them: what counts as a change."""

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate_client.api.flow_instances import _row


def change(**members: object) -> pb.WatchFlowInstancesResponse:
    return pb.WatchFlowInstancesResponse(**members)  # type: ignore[arg-type]


def test_a_row_that_was_only_read_again_is_the_same() -> None:
    first, again = (
        pb.FlowInstance(instance_id="1-2", status_desc="RUNNING", observe_time=Timestamp(seconds=at)) for at in (1, 2)
    )
    ended = pb.FlowInstance(instance_id="1-2", status_desc="SUCCESS")

    assert _row(change(flow_instance=first)) == _row(change(flow_instance=again)) != _row(change(flow_instance=ended))
    assert first.observe_time.seconds == 1  # what the caller is given keeps it


def test_one_that_can_not_be_read_is_told_by_its_error() -> None:
    error = Status(code=14, message="away")
    unreadable = change(unreadable={"instance_id": "1-2", "error": error})

    assert _row(unreadable) == ("1-2", error)
    assert _row(change(progress={})) is None
