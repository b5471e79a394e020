"""A sentence for an event whose rule gave none, so that no event reaches a person without one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from headgate import pb
from headgate.backfill import dates


def label(run: pb.InstanceRun) -> str:
    """A run in a sentence: its task instance, its date, or else its instance."""
    if run.HasField("biz_date") and not run.task_instance_id:
        return dates.from_message(run.biz_date).isoformat()
    if run.task_instance_id:
        return f"task instance {run.task_instance_id}"
    return f"instance {run.workflow_instance_id or run.flow_instance_id}"


def described(event: pb.JobEvent) -> str:
    """What an event says, from its error, runs and operations; the job's state where it has none of them."""
    if event.error.message:
        return str(event.error.message)
    said = [_run(event.runs), _operation(event.operations)]
    return (
        "; ".join(part for part in said if part) or f"the job is {_word(pb.JobState.Name(event.state), 'JOB_STATE_')}"
    )


def _run(runs: Sequence[pb.InstanceRun]) -> str:
    if not runs:
        return ""
    if len(runs) > 1:
        return f"{len(runs)} runs changed"
    return f"{label(runs[0])} is {_word(pb.RunState.Name(runs[0].state), 'RUN_STATE_')}"


def _operation(operations: Sequence[pb.UpstreamOperation]) -> str:
    words = [(row.action, pb.OperationOutcome.Name(row.outcome)) for row in operations]
    return "; ".join(f"{action} {_word(name, 'OPERATION_OUTCOME_')}" for action, name in words)


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).replace("_", " ").lower()


def outcome_of(run: pb.InstanceRun) -> str:
    """How a date that counts as failed has ended, in a clause."""
    if run.state != pb.RUN_STATE_STOPPED:
        return f"{label(run)} failed"
    return f"{label(run)} was stopped{by_whom(run)}"


def by_whom(run: pb.InstanceRun) -> str:
    """Who stopped a run, as the end of a sentence; empty where that is not known, or was this job."""
    if run.stopped_by == pb.STOPPED_BY_OPERATOR:
        return " by somebody else"
    return f" by {run.stopped_by_job}" if run.stopped_by_job else ""
