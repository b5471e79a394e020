"""Which dates have instances already: looked up once, before anything is created."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate.backfill.reprocess import is_left_alone
from headgate_worker.core.model.calls import CreateInstances, FailureKind, InstancePage, ListInstances
from headgate_worker.core.model.steps import Act, Change, timestamp
from headgate_worker.core.model.view import Sighting, View
from headgate_worker.core.planner import plan
from headgate_worker.core.rules.surveying import LEAST_TOLD, MOST_PAGES, PAGE, survey
from tests.worker.core.building import (
    FAILURE,
    NOT_RUN,
    NOW_MS,
    RUNNING,
    SUCCESS,
    absorbed,
    acted,
    cancel,
    committed,
    day,
    failure,
    job,
    reason,
    row,
    seen,
    spec,
    states,
    taken,
    view,
)

ONLY = pb.REPROCESS_MISSING_ONLY
FAILED_TOO = pb.REPROCESS_MISSING_AND_FAILED


def _job(count: int = 2, policy: pb.Reprocess.ValueType = ONLY, **fields: Any) -> pb.Job:
    runs = [row(n, pb.RUN_STATE_PLANNED) for n in range(count)]
    return job(*runs, backfill=spec(count, reprocess=policy), **fields)


def _answer(of: View, *found: pb.WorkflowInstance, total: int | None = None) -> Change:
    act = acted(survey(of))
    assert isinstance(act.call, ListInstances)
    mine = tuple(one for one in found if dates.midnight_millis(dates.from_message(one.biz_date)) == _asked(act.call))
    return absorbed(of, act.call, InstancePage(mine, len(mine) if total is None else total), act.subject)


def _asked(call: ListInstances) -> int:
    return call.biz_date_millis


def _surveyed(of: pb.Job, *found: pb.WorkflowInstance) -> pb.Job:
    """The job once every date was looked up."""
    now = view(of)
    for _ in of.runs:
        change = _answer(now, *found)
        if change.drafts:
            assert change.hints.survey == {}
            return taken(now, change)
        now = View(of, change.hints, NOW_MS)
    raise AssertionError("the survey does not end")


def test_each_date_is_looked_up_by_name_and_kind_before_anything_is_created() -> None:
    act = acted(plan(view(_job(2))))

    assert act.drafts == ()
    assert act.call == ListInstances(
        1,
        dates.midnight_millis(day(0)),
        name="nightly",
        type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
        page_size=PAGE,
    )
    second = View(_job(2), _answer(view(_job(2))).hints, NOW_MS)
    call = acted(plan(second)).call
    assert isinstance(call, ListInstances) and call.biz_date_millis == dates.midnight_millis(day(1))


@pytest.mark.parametrize("policy", [pb.REPROCESS_UNSPECIFIED, pb.REPROCESS_ALL])
def test_all_asks_nothing(policy: pb.Reprocess.ValueType) -> None:
    assert survey(view(_job(policy=policy))) is None
    assert isinstance(acted(plan(view(_job(policy=policy)))).call, CreateInstances)


@pytest.mark.parametrize(
    ("policy", "status", "left"),
    [
        (ONLY, NOT_RUN, True),
        (ONLY, RUNNING, True),
        (ONLY, SUCCESS, True),
        (ONLY, FAILURE, True),
        (FAILED_TOO, NOT_RUN, True),
        (FAILED_TOO, RUNNING, True),
        (FAILED_TOO, SUCCESS, True),
        (FAILED_TOO, FAILURE, False),
        (FAILED_TOO, pb.WORKFLOW_INSTANCE_STATUS_UNSPECIFIED, True),
    ],
)
def test_the_policy_says_which_dates_are_left_alone(
    policy: pb.Reprocess.ValueType, status: pb.WorkflowInstanceStatus.ValueType, left: bool
) -> None:
    after = _surveyed(_job(2, policy), seen(101, status))

    assert states(after) == ["PLANNED", "SKIPPED" if left else "PLANNED"]
    assert is_left_alone(after.runs[1]) is left
    assert after.survey_time.ToMilliseconds() == NOW_MS
    if left:
        assert after.runs[1].workflow_instance_id == 101
        assert reason(after.runs[1].error) == "INSTANCE_EXISTS"


def test_the_last_instance_of_a_date_decides() -> None:
    mended = seen(200, SUCCESS, biz_date=dates.to_message(day(0)))
    broken = seen(201, FAILURE, biz_date=dates.to_message(day(1)))

    after = _surveyed(_job(2, FAILED_TOO), seen(100, FAILURE), mended, seen(101, SUCCESS), broken)

    assert states(after) == ["SKIPPED", "PLANNED"]
    assert after.runs[0].workflow_instance_id == 200


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"name": "nightly-hg0123abcd"}, True),
        ({"name": "nightly-20250205"}, False),
        ({"name": "nightly-hg0123abcd-2"}, False),
        ({"name": "Nightly"}, False),
        ({"name": "nightly2"}, False),
        ({"type": pb.WORKFLOW_INSTANCE_TYPE_MANUAL}, False),
        ({"biz_date": dates.to_message(day(5))}, False),
    ],
)
def test_only_backfill_instances_of_this_very_name_and_date_count(fields: dict[str, Any], counts: bool) -> None:
    of = view(_job(1))
    found = seen(100, SUCCESS)
    found.MergeFrom(pb.WorkflowInstance(**fields))
    act = acted(survey(of))
    assert act.call is not None

    change = absorbed(of, act.call, InstancePage((found,), 1), act.subject)

    assert states(taken(of, change)) == ["SKIPPED" if counts else "PLANNED"]


def test_nothing_is_asked_once_the_result_stands() -> None:
    after = _surveyed(_job(3), seen(101, SUCCESS))

    assert survey(view(after)) is None
    act = acted(plan(view(after)))
    assert isinstance(act.call, CreateInstances)
    assert list(dates.walk(act.call.spec.periods.biz_dates)) == [day(0), day(2)]
    assert survey(view(committed(view(after), act))) is None


def test_a_survey_that_finds_nothing_is_on_record_too() -> None:
    after = _surveyed(_job(2))

    assert states(after) == ["PLANNED", "PLANNED"]
    assert after.HasField("survey_time")


def test_lost_hints_begin_it_anew_and_nothing_is_created_before_its_end() -> None:
    half = View(_job(2), _answer(view(_job(2)), seen(100, SUCCESS)).hints, NOW_MS)
    assert half.hints.survey == {0: Sighting(100, "Success", True, 0)}

    call = acted(plan(view(half.job))).call

    assert isinstance(call, ListInstances) and call.biz_date_millis == dates.midnight_millis(day(0))


def test_a_job_that_has_created_is_never_surveyed_again() -> None:
    operation = pb.UpstreamOperation(outcome=pb.OPERATION_OUTCOME_NOT_SENT)

    assert survey(view(_job(2, operations=[operation]))) is None


def test_the_job_succeeds_when_every_date_exists() -> None:
    after = _surveyed(_job(2), seen(100, SUCCESS), seen(101, FAILURE))

    ended = committed(view(after), plan(view(after)))

    assert ended.state == pb.JOB_STATE_SUCCEEDED
    assert not ended.HasField("error")


def test_what_is_left_alone_does_not_hide_what_failed() -> None:
    after = _surveyed(_job(2), seen(100, SUCCESS))
    after.runs[1].MergeFrom(pb.InstanceRun(state=pb.RUN_STATE_FAILED, operation_index=0))

    ended = committed(view(after), plan(view(after)))

    assert ended.state == pb.JOB_STATE_FAILED
    assert ended.error.message == "1 of 2 runs did not succeed, the first is 2025-02-06"


def test_pages_are_walked_to_the_last_instance() -> None:
    of = view(_job(1, FAILED_TOO))
    first = _answer(of, seen(100, SUCCESS), total=PAGE + 1)
    assert first.drafts == ()
    second = View(of.job, first.hints, NOW_MS)
    call = acted(survey(second)).call
    assert isinstance(call, ListInstances) and call.page_number == 2

    last = seen(200, FAILURE, biz_date=dates.to_message(day(0)))
    assert states(taken(second, _answer(second, last, total=PAGE + 1))) == ["PLANNED"]
    assert states(taken(second, _answer(second, total=PAGE + 1))) == ["SKIPPED"]


def test_missing_only_needs_no_further_page_once_one_exists() -> None:
    of = view(_job(1))

    assert states(taken(of, _answer(of, seen(100, FAILURE), total=5 * PAGE))) == ["SKIPPED"]


def test_too_many_similar_names_fail_the_job_before_anything_is_created() -> None:
    of = view(_job(1))
    hints = replace(of.hints, survey={0: Sighting(next_page=MOST_PAGES)})
    last = View(of.job, hints, NOW_MS)

    ended = taken(last, _answer(last, seen(100, SUCCESS, name="nightly2"), total=PAGE * MOST_PAGES + 1))

    assert ended.state == pb.JOB_STATE_FAILED
    assert reason(ended.error) == "SURVEY_TOO_LARGE"
    done = taken(last, _answer(last, seen(100, SUCCESS, name="nightly2"), total=PAGE * MOST_PAGES))
    assert done.state == pb.JOB_STATE_RUNNING


def test_a_failed_look_is_repeated_after_a_wait() -> None:
    of = view(_job(1))
    act = acted(survey(of))
    assert act.call is not None

    change = absorbed(of, act.call, failure(FailureKind.THROTTLED), act.subject)

    assert change.drafts == ()
    assert change.hints.retry_at_ms > NOW_MS


@pytest.mark.parametrize("fields", [{"state": pb.JOB_STATE_PAUSED}, cancel()])
def test_a_paused_or_cancelled_job_looks_nothing_up(fields: dict[str, Any]) -> None:
    assert survey(view(_job(1, **fields))) is None


def test_an_answer_after_a_cancel_changes_nothing() -> None:
    act = acted(survey(view(_job(1))))
    assert act.call is not None

    late = absorbed(view(_job(1, **cancel())), act.call, InstancePage((seen(100, SUCCESS),), 1), act.subject)

    assert late.drafts == ()


def test_an_answer_that_comes_after_the_result_changes_nothing() -> None:
    act = acted(survey(view(_job(1))))
    assert act.call is not None
    after = _surveyed(_job(1))

    late = absorbed(view(after), act.call, InstancePage((seen(100, SUCCESS),), 1), act.subject)

    assert late.drafts == ()


def test_a_retry_of_a_survey_that_stands_runs_what_it_names() -> None:
    again = job(row(0, pb.RUN_STATE_PLANNED, attempt=2), backfill=spec(1, reprocess=ONLY))
    again.survey_time.CopyFrom(timestamp(NOW_MS - 1))

    step = plan(view(again))

    assert isinstance(step, Act) and isinstance(step.call, CreateInstances)


def _told(count: int) -> list[str]:
    """What a whole survey of so many dates says on its way."""
    of = _job(count)
    now, told = view(of), []
    for _ in of.runs:
        change = _answer(now)
        for draft in change.drafts:
            assert draft.type in (pb.EVENT_TYPE_SURVEY_PROGRESSED, pb.EVENT_TYPE_SURVEYED) and not draft.state
            told.append(draft.message)
        now = View(of, change.hints, NOW_MS)
    return told


@pytest.mark.parametrize(("count", "events"), [(365, 10), (LEAST_TOLD, 10), (LEAST_TOLD - 1, 1)])
def test_a_long_survey_is_told_in_tenths_and_a_short_one_by_its_result(count: int, events: int) -> None:
    told = _told(count)

    assert len(told) == events and told[-1].startswith(f"0 of {count} dates have instances")
    assert count < LEAST_TOLD or told[0] == f"{-(-count // 10)} of {count} dates are looked up"
