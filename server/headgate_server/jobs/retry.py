"""Decide which dates of an ended backfill run again, and what their rows are then. Pure.

The runs of one retry get a number higher than all attempts before, which tells them from the failures of earlier
attempts, which stay on record.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from google.type.date_pb2 import Date

from headgate import pb
from headgate.backfill import date_retries, dates
from headgate.backfill.reprocess import is_left_alone
from headgate.job import event_log, sizes
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store.date_claims import Hold, hold_of
from headgate_server.errors.status import bad_request
from headgate_server.jobs.new_job import allowed_ms
from headgate_server.jobs.transitions import conflict, event_for
from headgate_server.requests import date_rules


def retry(job: pb.Job, request: pb.RetryJobRequest, caller: str, now_ms: int) -> pb.JobEvent:
    """Run dates of an ended backfill again.

    Raises:
        Refused: STATE_CONFLICT, or FIELD_INVALID where a date is not one of the job's.
    """
    _check_state(job)
    rows = _named(job, request.biz_dates) if request.biz_dates else _unsuccessful(job)
    if not rows:
        raise conflict(job, "has no date that did not succeed; name the dates that are to run again")
    event = event_for(job, pb.EVENT_TYPE_RETRY_REQUESTED, pb.JOB_STATE_RUNNING, caller, now_ms)
    attempt = 1 + max(run.attempt for run in job.runs)
    event.runs.extend(_again(row, attempt) for row in rows)
    changed = {run.index: run for run in event.runs}
    event.counts.CopyFrom(event_log.count_runs(changed.get(run.index, run) for run in job.runs))
    event.message = f"retry of {len(rows)} dates asked for"
    event.deadline_time.FromMilliseconds(now_ms + allowed_ms(request))
    return event


def hold_of_retry(job: pb.Job, event: pb.JobEvent) -> Hold | None:
    """The dates that the retry of a job holds from now on."""
    return hold_of(pb.Job(connection=job.connection, backfill=job.backfill, runs=event.runs))


def _check_state(job: pb.Job) -> None:
    if job.WhichOneof("spec") != "backfill":
        raise conflict(job, "is no backfill: submit it again")
    if job.state not in JOB_TERMINAL:
        raise conflict(job, "has not ended")
    if not sizes.has_room_for_retry(job) or len(job.operations) >= date_retries.MOST_OPERATIONS:
        raise conflict(job, "has no room for more on its record: submit the dates as a backfill of their own")


def _named(job: pb.Job, named: Sequence[Date]) -> list[pb.InstanceRun]:
    rows = {_day(run): run for run in reversed(job.runs) if run.HasField("biz_date")}
    wanted: dict[date, pb.InstanceRun] = {}
    for index, day in enumerate(named):
        path = f"biz_dates[{index}]"
        if not date_rules.is_plausible(day) or any(date_rules.missing(path, day)):
            raise bad_request([(path, "is not in the calendar")])
        found = dates.from_message(day)
        if found not in rows:
            raise bad_request([(path, f"{found.isoformat()} is no date of the job")])
        wanted[found] = rows[found]
    return sorted(wanted.values(), key=lambda run: run.index)


def _unsuccessful(job: pb.Job) -> list[pb.InstanceRun]:
    done = {_day(run) for run in job.runs if _is_done(run) and run.HasField("biz_date")}
    left = [run for run in job.runs if run.HasField("biz_date") and _day(run) not in done]
    return list({_day(run): run for run in reversed(left)}.values())[::-1]


def _is_done(run: pb.InstanceRun) -> bool:
    return run.state == pb.RUN_STATE_SUCCEEDED or is_left_alone(run)


def _again(run: pb.InstanceRun, attempt: int) -> pb.InstanceRun:
    planned = pb.RUN_STATE_PLANNED
    return pb.InstanceRun(index=run.index, biz_date=run.biz_date, state=planned, attempt=attempt, operation_index=-1)


def _day(run: pb.InstanceRun) -> date:
    return dates.from_message(run.biz_date)
