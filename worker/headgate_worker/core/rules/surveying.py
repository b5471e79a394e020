"""The survey: which dates of a backfill have instances already, looked up before anything is created.

Reads only, one date after the other; what was found so far is in the hints, and losing them begins the survey anew. A
long one shows its progress by a few events. Its result is one event, committed before the first create is intended, and
never asked for again: from then on the job's own instances would be found too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from google.type.date_pb2 import Date

from headgate import pb
from headgate.backfill import dates, marker, reprocess
from headgate.reasons import Reason
from headgate_worker.core.facts import poll_schedule
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import Failure, InstancePage, ListInstances, OutcomeOf
from headgate_worker.core.model.steps import Act, Change, Step, run_with
from headgate_worker.core.model.view import Sighting, View

PAGE: Final = 100
"""Rows of a page; upstream's own limit is not documented (reference: SDK 9.11)."""

MOST_PAGES: Final = 20
"""Pages of one date that are walked: upstream's filter is fuzzy, so that longer names show up too."""

LEAST_TOLD: Final = 50
"""A survey of fewer dates is over soon: its progress is not shown."""

TENTHS: Final = 10
"""Into how many parts a survey is divided for those who watch it."""

_UNDER_WAY: Final = frozenset({pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED})
UNSEEN: Final = Sighting()
"""Of a date that was not looked up yet."""


def pending(view: View) -> bool:
    """Whether the survey is still to be done: nothing may be created before."""
    job = view.job
    return (
        view.kind == "backfill"
        and reprocess.surveys(job.backfill)
        and not job.HasField("survey_time")
        and not job.operations
    )


def survey(view: View) -> Step | None:
    """Look up the next date, or the next page of one."""
    if view.job.state != pb.JOB_STATE_RUNNING or not pending(view):
        return None
    run = next((run for run in view.runs if _is_open(view, run)), None)
    if run is None:  # nothing is planned any more, or every answer is in hints that outlived their commit
        return Act((_result(view),))
    page = view.hints.survey.get(run.index, UNSEEN).next_page
    return Act(call=search(view.job.backfill, run.biz_date, page))


def _is_open(view: View, run: pb.InstanceRun) -> bool:
    return run.state == pb.RUN_STATE_PLANNED and view.hints.survey.get(run.index, UNSEEN).next_page > 0


def search(spec: pb.BackfillSpec, day: Date, page: int) -> ListInstances:
    """A page of what upstream has on a date that may be the backfill's."""
    return ListInstances(
        spec.project_id,
        dates.midnight_millis(dates.from_message(day)),
        name=marker.stem(spec.name),
        type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
        env_type=spec.env_type,
        page_number=page,
        page_size=PAGE,
    )


def absorb_survey(view: View, call: ListInstances, outcome: OutcomeOf[InstancePage]) -> Change:
    """What a page of one date shows; the last page of the last date decides."""
    if isinstance(outcome, Failure):
        return Change((), poll_schedule.after_failure(view, outcome))
    day = dates.to_message(dates.business_date(call.biz_date_millis))
    run = next((run for run in view.runs if _is_open(view, run) and run.biz_date == day), None)
    if run is None or view.job.state not in _UNDER_WAY or not pending(view):
        return Change((), view.hints.settled())  # cancelled meanwhile, or another tick has taken the job and was faster
    page = outcome.body
    before = view.hints.survey.get(run.index, UNSEEN)
    sighting = look(view.job.backfill, run.biz_date, before, page)
    if sighting.next_page > MOST_PAGES:
        return Change((_too_many(run),), view.hints.settled())
    hints = replace(view.hints.settled(), survey={**view.hints.survey, run.index: sighting})
    after = replace(view, hints=hints)
    if any(_is_open(after, one) for one in view.runs):
        return Change(_progress(view, after), hints)
    return Change((_result(after),), replace(hints, survey={}))


def _progress(before: View, after: View) -> tuple[pb.JobEvent, ...]:
    """Progress for watchers, at most nine times: each time that another 10 % of the dates are looked up."""
    planned = [run for run in after.runs if run.state == pb.RUN_STATE_PLANNED]
    done, earlier = (sum(not _is_open(view, run) for run in planned) for view in (after, before))
    if len(planned) < LEAST_TOLD or done * TENTHS // len(planned) == earlier * TENTHS // len(planned):
        return ()
    message = f"{done} of {len(planned)} dates are looked up"
    return (pb.JobEvent(type=pb.EVENT_TYPE_SURVEY_PROGRESSED, message=message),)


def look(spec: pb.BackfillSpec, day: Date, before: Sighting, page: InstancePage) -> Sighting:
    """The latest instance of the date so far, the one of the highest id, and which page is to be read next."""
    latest = max(of_date(spec, day, page), key=lambda one: one.id, default=None)
    more = bool(page.instances) and before.next_page * PAGE < page.total_count
    # Once one is enough to leave the date alone, whatever comes after it, the other pages say nothing new.
    settled = spec.reprocess == pb.REPROCESS_MISSING_ONLY and latest is not None
    next_page = before.next_page + 1 if more and not settled else 0
    if latest is None or latest.id < before.instance_id:
        return replace(before, next_page=next_page)
    return Sighting(latest.id, latest.status_raw, reprocess.leaves_alone(spec, latest.status), next_page)


def of_date(spec: pb.BackfillSpec, day: Date, page: InstancePage) -> list[pb.WorkflowInstance]:
    """The instances of a page that count: by name and kind, and by date, whatever upstream made of the filter."""
    ours = (one for one in page.instances if reprocess.counts(spec, one))
    return [one for one in ours if not one.HasField("biz_date") or one.biz_date == day]


def _result(view: View) -> pb.JobEvent:
    found = view.hints.survey
    planned = [run for run in view.runs if run.state == pb.RUN_STATE_PLANNED]
    left = [_left_alone(run, found[run.index]) for run in planned if run.index in found and found[run.index].leave]
    message = f"{len(left)} of {len(planned)} dates have instances already and are left alone"
    return pb.JobEvent(type=pb.EVENT_TYPE_SURVEYED, runs=left, message=message)


def _left_alone(run: pb.InstanceRun, found: Sighting) -> pb.InstanceRun:
    said = f"instance {found.instance_id} exists, {found.status or 'in an unknown status'}"
    return run_with(
        run,
        state=pb.RUN_STATE_SKIPPED,
        workflow_instance_id=found.instance_id,
        upstream_status=found.status,
        error=errors.status(Reason.INSTANCE_EXISTS, said, workflow_instance_id=str(found.instance_id)),
    )


def _too_many(run: pb.InstanceRun) -> pb.JobEvent:
    day = dates.from_message(run.biz_date).isoformat()
    said = f"more than {MOST_PAGES * PAGE:,} instances of similar names on {day}; nothing was created"
    error = errors.status(Reason.SURVEY_TOO_LARGE, said, biz_date=day)
    return pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_FAILED, error=error, message=said)
