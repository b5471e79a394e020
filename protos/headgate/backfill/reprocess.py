"""Which dates a backfill leaves alone since they have instances already: BackfillSpec.reprocess. Pure."""

from __future__ import annotations

from typing import Final

from google.rpc.code_pb2 import ALREADY_EXISTS

from headgate import pb
from headgate.backfill import marker

_MISSING: Final = frozenset({pb.REPROCESS_MISSING_ONLY, pb.REPROCESS_MISSING_AND_FAILED})


def surveys(spec: pb.BackfillSpec) -> bool:
    """Whether the dates have to be looked up upstream before anything is created."""
    return spec.reprocess in _MISSING


def counts(spec: pb.BackfillSpec, seen: pb.WorkflowInstance) -> bool:
    """Whether an instance that a search has shown is one of this backfill's name and kind; its date is not judged."""
    kind = seen.type in (pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA, pb.WORKFLOW_INSTANCE_TYPE_UNSPECIFIED)
    return kind and marker.is_form_of(seen.name, spec.name)


def leaves_alone(spec: pb.BackfillSpec, latest: pb.WorkflowInstanceStatus.ValueType) -> bool:
    """Whether a date whose latest instance has this status is not run; an unknown status counts as not failed."""
    if spec.reprocess == pb.REPROCESS_MISSING_AND_FAILED:
        return latest != pb.WORKFLOW_INSTANCE_STATUS_FAILURE
    return spec.reprocess == pb.REPROCESS_MISSING_ONLY


def is_left_alone(run: pb.InstanceRun) -> bool:
    """Whether a run was skipped since its date has an instance: that is no failure of the job."""
    return run.state == pb.RUN_STATE_SKIPPED and run.error.code == ALREADY_EXISTS
