"""What upstream answered about the dates of a backfill for a report, and how that is compared with the log. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb

SUCCESS: Final = pb.WORKFLOW_INSTANCE_STATUS_SUCCESS
ENDED: Final = frozenset({SUCCESS, pb.WORKFLOW_INSTANCE_STATUS_FAILURE})


@dataclass(frozen=True, slots=True)
class DateSighting:
    """What upstream answered about one date.

    Args:
        rows: instances by id: those that a search for the backfill's name found, and those that were read one by one.
        gone: instances of the job that upstream does not have any more.
        error: why not all could be read; empty where it could.
    """

    rows: Mapping[int, pb.WorkflowInstance] = field(default_factory=dict)
    gone: frozenset[int] = frozenset()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sightings:
    """What upstream answered about all dates.

    Args:
        dates: by the index of the date's row in the job.
        start_ms: when the first read was asked for, by the store's clock.
        end_ms: when the last one was done with.
        reads: how many were answered.
    """

    dates: Mapping[int, DateSighting]
    start_ms: int
    end_ms: int
    reads: int


def sighting(row: pb.WorkflowInstance) -> pb.UpstreamSighting:
    """The report's row of an instance that was read."""
    told = pb.UpstreamSighting(
        status=row.status_raw, modify_user=row.modify_user, upstream_request_id=row.upstream_request_id
    )
    for name in ("started_time", "finished_time", "create_time", "observe_time"):
        if row.HasField(name):
            getattr(told, name).CopyFrom(getattr(row, name))
    return told


def foreign(
    seen: DateSighting, known: frozenset[int], accepted: Timestamp
) -> Iterator[tuple[pb.ForeignInstance, pb.WorkflowInstance]]:
    """The instances of a date that the job did not make, as the report shows them and as they were read.

    Args:
        seen: what upstream answered about the date.
        known: ids of all instances that the job's log knows.
        accepted: when the job was accepted.
    """
    for row in (row for instance_id, row in sorted(seen.rows.items()) if instance_id not in known):
        ended_before = row.status in ENDED and 0 < row.finished_time.ToNanoseconds() < accepted.ToNanoseconds()
        yield (
            pb.ForeignInstance(
                workflow_instance_id=row.id,
                name=row.name,
                create_user=row.create_user,
                seen=sighting(row),
                is_earlier=ended_before,
            ),
            row,
        )


_AGREES: Final[Mapping[pb.RunState.ValueType, frozenset[pb.WorkflowInstanceStatus.ValueType]]] = {
    pb.RUN_STATE_SUCCEEDED: frozenset({SUCCESS}),
    pb.RUN_STATE_FAILED: frozenset({pb.WORKFLOW_INSTANCE_STATUS_FAILURE}),
    pb.RUN_STATE_STOPPED: frozenset({pb.WORKFLOW_INSTANCE_STATUS_FAILURE, pb.WORKFLOW_INSTANCE_STATUS_NOT_RUN}),
}
"""What upstream may show of an instance that has ended by the log. One that was stopped before it ran stays NotRun."""


def disagreement(told: pb.ReportInstance, row: pb.WorkflowInstance, day: object) -> str:
    """What upstream shows otherwise than the log, in one line; empty where both agree.

    Args:
        told: the instance by the log.
        row: the instance by upstream.
        day: the date it is of, as google.type.Date.
    """
    status = row.status_raw or "nothing"
    allowed = _AGREES.get(told.state)
    if allowed is not None and row.status not in allowed:
        word = pb.RunState.Name(told.state).removeprefix("RUN_STATE_")
        return f"the log says {word} of instance {row.id}, and upstream says {status} now"
    if row.HasField("biz_date") and row.biz_date != day:
        return f"upstream has another business date for instance {row.id}"
    began, ended = row.started_time.ToNanoseconds(), told.finished_time.ToNanoseconds()
    if ended and began > ended:
        return f"instance {row.id} has run again since, upstream says {status}"
    return ""
