"""Which dates of a backfill one create asks for: at most 7 ranges, and no more than may stand created ahead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from headgate import pb
from headgate.backfill import dates

DEFAULT_AHEAD: Final = 60
"""Instances that may stand created but not finished when the caller did not say (BackfillSpec.max_created_ahead)."""

MAKING_MS: Final = 5_000
"""How long a create may take until its instances are known, for the question when to send the next one; of a job whose
creates have shown to take less, that."""

LEAST_MAKING_MS: Final = 1_000
"""A create that seems to take less does not count as such: times of upstream are whole seconds of another clock."""

PLACING_MS: Final = 100
"""How much longer it takes for each of them, since its date is read."""

Ranges = tuple[pb.DateRange, ...]


def next_ranges(
    spec: pb.BackfillSpec, planned: Sequence[date], unfinished: int, run_ms: int = 0, made_ms: int | None = None
) -> Ranges:
    """The dates of the next call, in the order they are to run; none while it has to wait.

    Args:
        spec: the backfill.
        planned: the dates that have no instance yet.
        unfinished: how many instances stand created and not ended.
        run_ms: how long a date runs; 0 when that is not known.
        made_ms: how long a create of this job has taken (`made_ms`); None before one has begun.
    """
    window = spec.max_created_ahead or DEFAULT_AHEAD
    if not planned or window - unfinished < min(len(planned), _least(spec, window, run_ms, made_ms)):
        return ()
    # What starts itself would run beside the dates of the create before, and exceed the parallelism.
    if unfinished and spec.start_mode == pb.START_MODE_UPSTREAM:
        return ()
    newest = spec.default_run_properties.order == pb.BACKFILL_ORDER_DESC
    ranges = dates.to_ranges(sorted(sorted(planned, reverse=newest)[: window - unfinished]))
    return ranges[-dates.MAX_RANGES_PER_CALL :] if newest else ranges[: dates.MAX_RANGES_PER_CALL]


def _least(spec: pb.BackfillSpec, window: int, run_ms: int, made_ms: int | None) -> int:
    """The fewest dates of a create that is not the last: many small ones would cost more of the quota.

    Half of the window, or less where its other half would run dry while the create is being made: then every lane runs
    one of the dates that are left, and as many stand ready as end in that time.
    """
    width = max(1, spec.default_run_properties.parallelism)
    making_ms = MAKING_MS + PLACING_MS * max(0, window - width)
    if made_ms is not None:
        making_ms = min(making_ms, max(LEAST_MAKING_MS, made_ms))
    ready = round(width * making_ms / run_ms) if run_ms else width // 2
    return max(1, window // 4, min(window // 2, window - width - ready))


def made_ms(job: pb.Job) -> int | None:
    """The shortest time from the intent of a create to the begin of its first instance; None before one has begun."""
    spans = [_begin_ms(job, one) - one.intent_time.ToMilliseconds() for one in job.operations if _begin_ms(job, one)]
    return min(spans, default=None)


def _begin_ms(job: pb.Job, operation: pb.UpstreamOperation) -> int:
    """When the first instance of a create began, by our own clock where it is known; 0 before that."""
    if operation.HasField("early_start_time"):
        early: int = operation.early_start_time.ToMilliseconds()
        return early
    runs = [run for run in job.runs if run.operation_index == operation.index and run.HasField("started_time")]
    return min((run.started_time.ToMilliseconds() for run in runs), default=0)


def all_ranges(spec: pb.BackfillSpec, days: Sequence[date]) -> list[Ranges]:
    """The dates of every call, in order, if no date fails and dates end one at a time."""
    left, unfinished, calls = list(days), 0, []
    while left:
        ranges = next_ranges(spec, left, unfinished)
        if not ranges:
            unfinished -= 1
            continue
        made = set(dates.walk(ranges))
        left = [day for day in left if day not in made]
        unfinished += len(made)
        calls.append(ranges)
    return calls


def create_spec(spec: pb.BackfillSpec, name: str, ranges: Sequence[pb.DateRange]) -> pb.CreateWorkflowInstancesSpec:
    """What one call of a backfill asks of upstream; `name` is the exact DataWorks name."""
    return pb.CreateWorkflowInstancesSpec(
        project_id=spec.project_id,
        env_type=spec.env_type,
        workflow_id=spec.workflow_id,
        name=name,
        type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
        periods=pb.Periods(biz_dates=ranges, start_time=spec.start_time, end_time=spec.end_time),
        workflow_parameters=spec.workflow_parameters,
        task_parameters=spec.task_parameters,
        auto_start_enabled=spec.start_mode == pb.START_MODE_UPSTREAM,
        default_run_properties=spec.default_run_properties,
        comment=spec.comment,
        tags=spec.tags,
        extra=spec.extra if spec.HasField("extra") else None,
    )
