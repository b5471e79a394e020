"""Errors of calls that name a job which is not there. Pure."""

from __future__ import annotations

from google.rpc.error_details_pb2 import ResourceInfo

from headgate.reasons import Reason
from headgate.store import keys
from headgate_server.errors.exceptions import Refused


def unknown_job(job_id: str) -> Refused:
    """JOB_UNKNOWN for a job."""
    name = keys.job_name(job_id)
    return Refused(Reason.JOB_UNKNOWN, f"there is no {name}, or it has expired", details=(_resource(name),))


def deleted_job(job_id: str) -> Refused:
    """JOB_DELETED: what was asked for was done by a job that is gone, whatever has its id now."""
    name = keys.job_name(job_id)
    message = f"the {name} that was meant has been deleted or has expired; a fresh request_id makes another one"
    return Refused(Reason.JOB_DELETED, message, metadata={"job": name}, details=(_resource(name),))


def _resource(name: str) -> ResourceInfo:
    return ResourceInfo(resource_type="headgate.v1.Job", resource_name=name)
