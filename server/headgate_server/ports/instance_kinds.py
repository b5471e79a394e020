"""What differs between watching workflow instances and watching flow instances; and how often to read either. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate_server.ports.clock import timestamp

Row = pb.WorkflowInstance | pb.FlowInstance


@dataclass(frozen=True, slots=True)
class InstanceKind:
    """A kind of instance.

    Args:
        method: name of the RPC that reads one.
        row: its type.
        request: makes that RPC's request of a connection and an id.
        response: type of the watching RPC's messages.
        row_field: the response's field for a row.
        id_field: the field of an id, in rows.
        unreadable: makes the response's message about an instance that can't be read.
        ended: statuses that are final, unless the instance is run again.
        changes: fields with the times at which a row can have changed.
    """

    method: str
    row: type[Row]
    request: Callable[[str, Any], Any]
    response: type[pb.WatchWorkflowInstancesResponse | pb.WatchFlowInstancesResponse]
    row_field: str
    unreadable: Callable[[Any, Status], Any]
    ended: frozenset[int]
    changes: tuple[str, ...]

    def has_ended(self, row: Row) -> bool:
        """Whether nothing more happens to the instance by itself."""
        return row.status in self.ended

    def shown(self, raw: bytes) -> bytes:
        """The message that carries a row, given as bytes."""
        return self._message(**{self.row_field: self.row.FromString(raw)})

    def not_shown(self, id_: int | str, error: Status) -> bytes:
        """The message that says that an instance can't be read at the moment."""
        return self._message(unreadable=self.unreadable(id_, error))

    def alive(self, now_ms: int, last_ms: int, next_ms: int) -> bytes:
        """The message that says only that the stream lives; 0 is a time that is not known."""
        progress = pb.Progress(server_time=timestamp(now_ms))
        if last_ms:
            progress.last_upstream_poll_time.CopyFrom(timestamp(last_ms))
        if next_ms:
            progress.next_upstream_poll_time.CopyFrom(timestamp(next_ms))
        return self._message(progress=progress)

    def end(self, end: pb.StreamEnd) -> bytes:
        """The last message of a stream."""
        return self._message(end=end)

    def _message(self, **payload: Any) -> bytes:
        return self.response(**payload).SerializeToString()


WORKFLOW: Final = InstanceKind(
    method="GetWorkflowInstance",
    row=pb.WorkflowInstance,
    request=lambda connection, id_: pb.GetWorkflowInstanceRequest(id=id_, connection=connection),
    response=pb.WatchWorkflowInstancesResponse,
    row_field="workflow_instance",
    unreadable=lambda id_, error: pb.UnreadableInstance(id=id_, error=error),
    ended=frozenset({pb.WORKFLOW_INSTANCE_STATUS_SUCCESS, pb.WORKFLOW_INSTANCE_STATUS_FAILURE}),
    changes=("create_time", "started_time", "modify_time", "finished_time"),
)

FLOW: Final = InstanceKind(
    method="GetFlowInstance",
    row=pb.FlowInstance,
    request=lambda connection, id_: pb.GetFlowInstanceRequest(instance_id=id_, connection=connection),
    response=pb.WatchFlowInstancesResponse,
    row_field="flow_instance",
    unreadable=lambda id_, error: pb.UnreadableFlowInstance(instance_id=id_, error=error),
    ended=frozenset(
        {
            pb.FLOW_INSTANCE_STATUS_SUCCESS,
            pb.FLOW_INSTANCE_STATUS_FAIL,
            pb.FLOW_INSTANCE_STATUS_INTERNAL_ERROR,
            pb.FLOW_INSTANCE_STATUS_TIMEOUT,
            pb.FLOW_INSTANCE_STATUS_CANCEL,
            pb.FLOW_INSTANCE_STATUS_SKIP,
        }
    ),
    changes=("trigger_time_utc", "start_time_utc", "end_time_utc"),
)


@dataclass(frozen=True, slots=True)
class InstanceKey:
    """An instance that can be watched."""

    kind: InstanceKind
    connection: str
    id: int | str


@dataclass(frozen=True, slots=True)
class PollPace:
    """How often an instance is read that is watched and that no job follows. In ms.

    Args:
        min_ms: shortest time between two reads.
        max_ms: longest, and the one of an instance that has ended.
        share: what part of the time for which nothing has changed is let pass before the next read.
    """

    min_ms: int = 2_000
    max_ms: int = 30_000
    share: float = 0.1

    def interval_ms(self, kind: InstanceKind, row: Row) -> int:
        """Time from the read that brought `row` to the next one."""
        if kind.has_ended(row):
            return self.max_ms
        since = max(_ms(getattr(row, name)) for name in kind.changes) or _ms(row.observe_time)
        return int(min(self.max_ms, max(self.min_ms, (_ms(row.observe_time) - since) * self.share)))

    def after_failures_ms(self, failures: int) -> int:
        """Time to the next try after the n-th failure in a row."""
        return min(self.max_ms, self.min_ms * int(2 ** min(failures - 1, 16)))


def differ(before: Row, after: Row) -> bool:
    """Whether two rows of an instance differ in more than when and by which call they were read."""
    return _bare(before) != _bare(after)


def _bare(row: Row) -> Row:
    copy = type(row)()
    copy.CopyFrom(row)  # type: ignore[arg-type]  # both are of one type
    _clear(copy, ("observe_time", "upstream_request_id"))
    return copy


def _clear(row: Row, names: Iterable[str]) -> None:
    for name in names:
        if name in row.DESCRIPTOR.fields_by_name:
            row.ClearField(name)  # type: ignore[arg-type]  # looked up just before


def _ms(time: Timestamp) -> int:
    return time.ToMilliseconds()
