"""Calls that are not safe to repeat, as they stand on the job's record: what is known of each, and what it comes to."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.model.steps import Change, operation_changed, operation_with, run_with
from headgate_worker.core.model.view import View

OPEN: Final = frozenset({pb.OPERATION_OUTCOME_INTENDED, pb.OPERATION_OUTCOME_AMBIGUOUS})
"""Unknown outcomes: nothing may be sent before they are reconciled."""

MADE: Final = frozenset({pb.OPERATION_OUTCOME_CONFIRMED, pb.OPERATION_OUTCOME_ADOPTED})
"""Outcomes of an operation that was executed."""


def to_be_sent_again(job: pb.Job, operation: pb.UpstreamOperation) -> bool:
    """Whether it was provably not executed and still has something to make."""
    if operation.outcome != pb.OPERATION_OUTCOME_NOT_SENT:
        return False
    mine = [run for run in job.runs if run.operation_index == operation.index]
    whole = not mine and all(run.attempt <= 1 for run in job.runs)  # a retry has given the dates to a later call
    return whole or any(run.state == pb.RUN_STATE_CREATING for run in mine)


def done(job: pb.Job) -> bool:
    """Whether every intended operation is done, or given up before it was sent, and every instance is on its row."""
    begun = bool(job.operations) or job.HasField("survey_time")  # a survey may leave nothing to be made
    return begun and each_done(job) and not unplaced(job)


def each_done(job: pb.Job) -> bool:
    """Whether each operation, if there are any, is done, or given up before it was sent."""
    closed = MADE | {pb.OPERATION_OUTCOME_REFUSED}
    return all(op.outcome in closed or _given_up(job, op) for op in job.operations)


def _given_up(job: pb.Job, operation: pb.UpstreamOperation) -> bool:
    return operation.outcome == pb.OPERATION_OUTCOME_NOT_SENT and not to_be_sent_again(job, operation)


def unplaced(job: pb.Job) -> list[tuple[pb.UpstreamOperation, int]]:
    """Instances that exist but whose date was not read yet, with the operation that made them."""
    if not any(op.outcome in MADE for op in job.operations):
        return []
    placed = {run.workflow_instance_id for run in job.runs}
    return [
        (op, instance_id)
        for op in job.operations
        if op.outcome in MADE
        for instance_id in _left_to_place(job, op, placed)
    ]


def _left_to_place(job: pb.Job, operation: pb.UpstreamOperation, placed: set[int]) -> list[int]:
    """The operation's instances that stand on no row, unless the rows they stood on were given to later attempts."""
    left = [instance_id for instance_id in operation.workflow_instance_ids if instance_id not in placed]
    if not left:
        return left
    days = set(dates.walk(operation.biz_dates))
    later = [run for run in job.runs if run.attempt > 1 and run.operation_index != operation.index]
    given_away = sum(run.HasField("biz_date") and dates.from_message(run.biz_date) in days for run in later)
    return left if len(left) > given_away else []


def made(view: View, operation: pb.UpstreamOperation, ids: tuple[int, ...]) -> Change:
    """What upstream's word that an operation is done changes; `ids` are the instances that it made."""
    hints = replace(view.hints.settled(), operation_poll_at_ms=0)
    if not ids and view.kind != "rerun":
        # Done, and nothing to show for it: what was made is searched for, and never made a second time.
        row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_AMBIGUOUS)
        return Change((operation_changed(row, message=f"{operation.action} is done and names no instances"),), hints)
    row = operation_with(
        operation, outcome=pb.OPERATION_OUTCOME_CONFIRMED, workflow_instance_ids=list(dict.fromkeys(ids))
    )
    said = f"{operation.action} made {len(row.workflow_instance_ids)} instances"
    return Change((made_draft(view, row, said),), hints)


def made_draft(view: View, row: pb.UpstreamOperation, said: str) -> pb.JobEvent:
    """The draft for an operation that was executed; the instances of a rerun run from then on."""
    if view.kind != "rerun":
        return operation_changed(row, message=said)
    runs = [
        run_with(run, state=pb.RUN_STATE_STARTING, started_by=pb.STARTED_BY_HEADGATE)
        for run in view.runs
        if run.state == pb.RUN_STATE_CREATED
    ]
    return operation_changed(row, *runs, message=f"{row.action} was executed")


def refused(view: View, operation: pb.UpstreamOperation, error: Status) -> tuple[pb.JobEvent, ...]:
    """The drafts for an operation that upstream won't do: its runs have failed, and a job without runs with them."""
    row = operation_with(operation, outcome=pb.OPERATION_OUTCOME_REFUSED)
    lost = [run for run in view.runs if _hangs_on(view, run, row)]
    failed = [run_with(run, state=pb.RUN_STATE_FAILED, error=error) for run in lost]
    draft = operation_changed(row, *failed, message=error.message)
    draft.error.CopyFrom(error)
    if not failed and not view.runs and view.job.state in _WORKING:
        draft.state = pb.JOB_STATE_FAILED
    return (draft,)


_WORKING: Final = frozenset({pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED})


def _hangs_on(view: View, run: pb.InstanceRun, operation: pb.UpstreamOperation) -> bool:
    """Whether nothing can become of the run when the operation is refused."""
    if view.kind == "rerun":
        return run.state == pb.RUN_STATE_CREATED
    return run.operation_index == operation.index and run.state == pb.RUN_STATE_CREATING
