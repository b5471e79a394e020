"""Show a job as a google.longrunning.Operation, as AIP-151 wants it. Pure.

An operation is done when its job is terminal. PAUSED, CANCELLING and NEEDS_ATTENTION are not: something still follows,
and what it waits for stands in the metadata, which is always the whole Job.
"""

from __future__ import annotations

from typing import Final

from google.longrunning.operations_proto_pb2 import Operation
from google.protobuf.any_pb2 import Any
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.job.lifecycle import is_terminal
from headgate.reasons import Reason
from headgate.store import keys
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.status import describe
from headgate_server.requests.operation_names import operation_name

_JOB_TYPE: Final = f"type.googleapis.com/{pb.Job.DESCRIPTOR.full_name}"


def operation(body: bytes) -> Operation:
    """The operation of a job.

    Args:
        body: the Job as bytes.
    """
    job = pb.Job.FromString(body)
    packed = Any(type_url=_JOB_TYPE, value=body)
    found = Operation(name=operation_name(keys.job_id(job.name)), metadata=packed, done=is_terminal(job))
    if job.state == pb.JOB_STATE_SUCCEEDED:
        found.response.CopyFrom(packed)
    elif found.done:
        found.error.CopyFrom(_error(job))
    return found


def _error(job: pb.Job) -> Status:
    if job.state == pb.JOB_STATE_CANCELLED:
        why = f": {job.cancel.reason}" if job.cancel.reason else ""
        return describe(Refused(Reason.JOB_CANCELLED, f"{job.name} was cancelled{why}", metadata={"job": job.name}))
    if job.error.code:
        return job.error
    return describe(Refused(Reason.RUNS_FAILED, f"{job.name} failed", metadata={"job": job.name}))
