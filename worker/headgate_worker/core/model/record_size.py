"""Rows of an event as they are recorded: texts of upstream shortened where a row would take more than it has room for.

What decides anything stays whole: ids, dates, states, times, and the marker that a search looks for. Pure.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.job import sizes
from headgate.job.sizes import cut
from headgate_worker.core.model.log_tail import tail

MOST_REQUEST_IDS: Final = 16
"""Upstream's RequestIds that a call keeps: those of its last tries."""

SHORT_REQUEST_IDS: Final = 2
"""The same once rows are shortened."""

_WORD_BYTES: Final = 128
"""What upstream's word for a status takes at most."""


def fit(job: pb.Job, event: pb.JobEvent) -> None:
    """Shorten the rows of an event that is about to follow `job`, in place."""
    rows = [*event.runs, *event.operations]
    if all(row.ByteSize() <= sizes.SHORT_ROW_BYTES for row in rows):
        return
    room = sizes.row_room(job.ByteSize(), len(rows))
    for run in event.runs:
        if run.ByteSize() > room:
            _shorten_run(run, room)
    for operation in event.operations:
        _shorten_operation(operation, room)


def _shorten_run(run: pb.InstanceRun, room: int) -> None:
    run.upstream_status = cut(run.upstream_status, min(_WORD_BYTES, room // 12))
    run.upstream_message = cut(run.upstream_message, room // 8)
    if run.HasField("error"):
        _shorten_error(run.error, room // 4)
    if run.HasField("failure_digest"):
        _shorten_digest(run.failure_digest, room // 4)
    names = [cut(name, room // 32) for name in run.dry_run_tasks]
    del run.dry_run_tasks[:]
    run.dry_run_tasks.extend(names if sum(map(len, names)) <= room // 4 else names[:1])


def _shorten_digest(digest: pb.FailureDigest, room: int) -> None:
    digest.task_name = cut(digest.task_name, room // 4)
    digest.log_tail, is_cut = tail(digest.log_tail, room // 2)
    digest.truncated = digest.truncated or is_cut


def _shorten_error(error: Status, room: int) -> None:
    error.message = cut(error.message, room // 2)
    if sum(detail.ByteSize() for detail in error.details) > room:
        _keep_reason(error)


def _keep_reason(error: Status) -> None:
    """Leave of an error's details the reason alone."""
    info = ErrorInfo()
    known = any(detail.Unpack(info) for detail in error.details)
    del error.details[:]
    if known:
        packed = AnyMessage()
        packed.Pack(ErrorInfo(reason=info.reason, domain=info.domain))
        error.details.append(packed)


def _shorten_operation(operation: pb.UpstreamOperation, room: int) -> None:
    most = MOST_REQUEST_IDS if operation.ByteSize() <= room else SHORT_REQUEST_IDS
    del operation.upstream_request_ids[:-most]
