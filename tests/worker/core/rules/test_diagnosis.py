"""Looking into runs that have ended: the failing task, its log, dry runs; and that nothing waits for it for long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.model.calls import (
    Failure,
    FailureKind,
    GetInstance,
    GetTaskLog,
    ListTasks,
    StartInstances,
    StopInstances,
    TaskFilter,
    TaskPage,
)
from headgate_worker.core.model.steps import Act, Wait, run_with, timestamp
from headgate_worker.core.model.view import Hints, Inquiry, View
from headgate_worker.core.planner import plan
from headgate_worker.core.rules import diagnosis
from tests.worker.core.building import (
    FAILURE,
    NOT_RUN,
    NOW_MS,
    RUNNING,
    SUCCESS,
    absorbed,
    acted,
    cancel,
    confirmed,
    failure,
    job,
    row,
    seen,
    spec,
    states,
    taken,
    view,
)

WAIT_MS = 10_000
FEBRUARY_5 = 1738684800000
LIST = ListTasks(
    9, FEBRUARY_5, 100, page_size=diagnosis.ROWS, filter=TaskFilter(status="Failure"), sort_by="FinishedTime Asc"
)
BOTH: dict[str, Any] = {"digest_ms": WAIT_MS, "dry_run_ms": WAIT_MS}


def task(number: int, name: str = "load", status: str = "Failure", **fields: Any) -> pb.TaskInstance:
    made = pb.TaskInstance(id=number, task_name=name, status=status, run_number=1, trigger_recurrence="Normal")
    made.MergeFrom(pb.TaskInstance(**fields))
    return made


def failing(on_failure: pb.OnFailure.ValueType = pb.ON_FAILURE_CONTINUE, **fields: Any) -> pb.Job:
    """The first date runs, the second one waits for it."""
    rows = (row(0, pb.RUN_STATE_RUNNING), row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100))
    return job(*rows, backfill=spec(2, on_failure=on_failure), operations=[confirmed(0, 1)], **fields)


def read_failed(of: pb.Job, **policy: Any) -> View:
    """The view after the first date was read failed; its deadline is WAIT_MS from now."""
    before = view(of, **{**BOTH, **policy})
    ended = seen(100, FAILURE, project_id=9, biz_date_millis=FEBRUARY_5)
    change = absorbed(before, GetInstance(100), ended, 0)
    return replace(before, job=taken(before, change), hints=change.hints)


def last_one_failed(**policy: Any) -> View:
    return read_failed(job(row(0, pb.RUN_STATE_RUNNING), operations=[confirmed(0)]), **policy)


def goes_on(of: View, act: Act, body: Any) -> View:
    """The view after an act's answer."""
    assert act.call is not None
    change = absorbed(of, act.call, body, act.subject)
    return replace(of, job=taken(of, change), hints=change.hints)


def later(of: View, ms: int) -> View:
    return replace(of, now_ms=of.now_ms + ms)


def test_a_failure_is_told_at_once_and_its_task_after_it() -> None:
    of = last_one_failed()
    assert of.job.runs[0].state == pb.RUN_STATE_FAILED
    assert not of.job.runs[0].HasField("failure_digest")

    asks = acted(plan(of))
    assert (asks.call, asks.subject, asks.until_ms, asks.drafts) == (LIST, 0, NOW_MS + WAIT_MS, ())
    of = goes_on(of, asks, TaskPage((task(7, finished_time=timestamp(5)), task(8, finished_time=timestamp(4))), 2))
    asks = acted(plan(of))
    assert asks.call == GetTaskLog(8, 1)
    before = of.job.revision
    of = goes_on(of, asks, "no such table")

    assert of.job.revision == before + 1
    assert of.job.runs[0].failure_digest == pb.FailureDigest(
        task_instance_id=8, task_name="load", log_tail="no such table"
    )
    ends = acted(plan(of))
    assert ends.drafts[0].state == pb.JOB_STATE_FAILED
    assert ends.drafts[0].error.message.endswith("the first is 2025-02-05: task load failed")


def test_a_failure_is_not_looked_into_when_that_is_off() -> None:
    of = last_one_failed(digest_ms=0)

    assert of.hints.inquiries == {}
    assert acted(plan(of)).drafts[0].state == pb.JOB_STATE_FAILED


def test_a_halt_comes_before_the_look_into_its_cause() -> None:
    of = read_failed(failing(pb.ON_FAILURE_HALT))

    asks = acted(plan(of))
    assert asks.call == GetInstance(101)
    of = goes_on(of, asks, seen(101, NOT_RUN))
    asks = acted(plan(of))
    assert asks.call == StopInstances((101,))
    of = goes_on(of, asks, {})
    assert acted(plan(of)).call == LIST


def test_nothing_is_started_after_a_failure_while_it_is_looked_into() -> None:
    of = read_failed(failing(pb.ON_FAILURE_HALT))
    for _ in range(12):
        step = plan(of)
        if isinstance(step, Wait):
            of = replace(of, now_ms=step.until_ms)
            continue
        act = acted(step)
        assert not isinstance(act.call, StartInstances)
        if act.call is not None:
            of = goes_on(of, act, failure(FailureKind.TRANSIENT))


def test_the_other_dates_are_started_first() -> None:
    of = read_failed(failing())
    of = replace(
        of,
        job=job(of.job.runs[0], row(1, pb.RUN_STATE_CREATED), backfill=of.job.backfill, operations=[confirmed(0, 1)]),
    )

    assert acted(plan(of)).call == StartInstances((101,))


@pytest.mark.parametrize("fields", [cancel(), {"state": pb.JOB_STATE_NEEDS_ATTENTION}])
def test_only_a_job_at_work_looks_into_failures(fields: Any) -> None:
    of = last_one_failed()
    moved = job(*of.job.runs, operations=[confirmed(0)], **fields)

    assert not diagnosis.pending(replace(of, job=moved))
    assert diagnosis.inquire(replace(of, job=moved)) is None
    late = absorbed(replace(of, job=moved), LIST, TaskPage((task(7),), 1), 0)
    assert (late.drafts, late.hints.inquiries) == ((), {})


def test_a_paused_job_does() -> None:
    of = last_one_failed()

    assert diagnosis.pending(replace(of, job=job(*of.job.runs, state=pb.JOB_STATE_PAUSED)))


def test_the_jobs_end_waits_no_longer_than_it_was_told_to() -> None:
    of = last_one_failed()
    of = replace(of, hints=replace(of.hints, retry_at_ms=NOW_MS + 3_600_000))

    assert plan(of) == Wait(NOW_MS + WAIT_MS)
    ends = acted(plan(later(of, WAIT_MS)))
    assert ends.drafts[0].state == pb.JOB_STATE_FAILED


def test_a_job_that_is_done_at_its_deadline_is_not_late_for_a_log() -> None:
    running = job(row(0, pb.RUN_STATE_RUNNING), operations=[confirmed(0)], deadline_time=timestamp(NOW_MS + 3_000))
    of = read_failed(running)
    of = replace(of, hints=replace(of.hints, retry_at_ms=NOW_MS + 3_600_000))

    assert plan(of) == Wait(NOW_MS + 3_000)
    ends = acted(plan(later(of, 3_000)))
    assert (ends.drafts[0].state, ends.drafts[0].type) == (pb.JOB_STATE_FAILED, pb.EVENT_TYPE_STATE_CHANGED)
    assert "deadline" not in ends.drafts[0].message


@pytest.mark.parametrize("kind", [FailureKind.THROTTLED, FailureKind.TRANSIENT])
def test_a_call_that_may_do_better_later_is_tried_three_times(kind: FailureKind) -> None:
    of, tries = last_one_failed(), 0
    while isinstance(plan(of), Wait) or acted(plan(of)).call is not None:
        step = plan(of)
        if isinstance(step, Wait):
            of = replace(of, now_ms=step.until_ms)
            continue
        tries += 1
        of = goes_on(of, acted(step), failure(kind))
        assert (of.hints.failures, of.hints.retry_at_ms) == (0, 0)

    assert tries == diagnosis.MOST_TRIES
    assert of.now_ms < NOW_MS + WAIT_MS
    assert acted(plan(of)).drafts[0].state == pb.JOB_STATE_FAILED


def test_upstreams_wish_to_wait_is_heard() -> None:
    of = last_one_failed()
    of = goes_on(of, acted(plan(of)), failure(FailureKind.THROTTLED, retry_after_seconds=7.0))

    assert plan(of) == Wait(NOW_MS + 7_000)


@pytest.mark.parametrize("kind", [FailureKind.FROZEN, FailureKind.DENIED, FailureKind.REFUSED, FailureKind.NOT_FOUND])
def test_a_call_that_will_not_do_better_is_not_repeated(kind: FailureKind) -> None:
    of = last_one_failed()
    of = goes_on(of, acted(plan(of)), failure(kind))

    assert of.hints == Hints()
    assert acted(plan(of)).drafts[0].state == pb.JOB_STATE_FAILED


def test_a_task_whose_log_cannot_be_read_is_named() -> None:
    of = last_one_failed()
    of = goes_on(of, acted(plan(of)), TaskPage((task(7),), 1))
    of = goes_on(of, acted(plan(of)), failure(FailureKind.DENIED))

    assert of.job.runs[0].failure_digest == pb.FailureDigest(task_instance_id=7, task_name="load")


def test_a_log_that_is_too_large_is_not_fetched_again() -> None:
    of = last_one_failed()
    of = goes_on(of, acted(plan(of)), TaskPage((task(7),), 1))
    too_large = Failure(FailureKind.TRANSIENT, "reply_too_large", "more than 16777216 bytes")
    of = goes_on(of, acted(plan(of)), too_large)

    assert of.job.runs[0].failure_digest == pb.FailureDigest(task_instance_id=7, task_name="load")


def test_an_instance_that_failed_before_its_task_shows_it_is_asked_again() -> None:
    of = last_one_failed()
    of = goes_on(of, acted(plan(of)), TaskPage((), 0))
    step = plan(of)

    assert isinstance(step, Wait) and NOW_MS < step.until_ms < NOW_MS + WAIT_MS
    assert acted(plan(replace(of, now_ms=step.until_ms))).call == LIST


def test_a_late_answer_about_a_date_that_runs_again_changes_nothing() -> None:
    of = last_one_failed()
    again = replace(of, job=job(row(0, pb.RUN_STATE_PLANNED, attempt=2), operations=[confirmed(0)]))

    change = absorbed(again, GetTaskLog(7, 1), "no such table", 0)

    assert (change.drafts, change.hints.inquiries) == ((), {})


def trying() -> View:
    """A date that has failed and is to be tried again at once."""
    rows = (row(0, pb.RUN_STATE_RUNNING),)
    of = job(*rows, backfill=spec(1, max_attempts_per_date=2), operations=[confirmed(0)])
    return read_failed(of, retry_min_ms=0)


def test_every_try_tells_why_it_failed_before_the_next_one() -> None:
    of = trying()
    of = goes_on(of, acted(plan(of)), TaskPage((task(7),), 1))
    of = goes_on(of, acted(plan(of)), "no such table")
    assert of.job.runs[0].failure_digest.log_tail == "no such table"

    again = goes_on(of, acted(plan(of)), seen(100, FAILURE))
    assert states(again.job) == ["PLANNED"]
    assert not again.job.runs[0].HasField("failure_digest")


def test_a_date_that_somebody_reran_does_not_keep_the_old_digest() -> None:
    of = trying()
    of = goes_on(of, acted(plan(of)), TaskPage((task(7),), 1))
    of = goes_on(of, acted(plan(of)), "no such table")
    asks = acted(plan(of))

    for status, state in ((RUNNING, "RUNNING"), (NOT_RUN, "STARTING"), (SUCCESS, "SUCCEEDED")):
        rerun = goes_on(of, asks, seen(100, status))
        assert states(rerun.job) == [state]
        assert not rerun.job.runs[0].HasField("failure_digest")


def test_without_hints_a_job_ends_without_a_digest() -> None:
    of = replace(last_one_failed(), hints=Hints())

    assert acted(plan(of)).drafts[0].state == pb.JOB_STATE_FAILED


def test_hints_that_name_a_run_that_is_not_there_are_harmless() -> None:
    of = last_one_failed()
    of = replace(of, hints=of.hints.inquire(9, Inquiry(NOW_MS + 5)))

    assert acted(plan(of)).subject == 0


def test_tails_are_short_once_a_job_has_many() -> None:
    there = pb.FailureDigest(log_tail="x" * diagnosis.TAIL_BYTES)
    full = [row(n, pb.RUN_STATE_FAILED, failure_digest=there) for n in range(1, diagnosis.FULL_TAILS)]
    log = "表" * 5_000

    for rows, most in ((full, diagnosis.TAIL_BYTES), ([*full, row(32, full[0].state, failure_digest=there)], 512)):
        of = last_one_failed()
        of = replace(of, job=job(*of.job.runs, *rows, operations=[confirmed(0)]))
        of = goes_on(of, acted(plan(of)), TaskPage((task(7, name="n" * 999),), 1))
        of = goes_on(of, acted(plan(of)), log)
        digest = of.job.runs[0].failure_digest
        assert most - 3 < len(digest.log_tail.encode()) <= most
        assert (digest.truncated, digest.task_name) == (True, "n" * diagnosis.NAME_LENGTH)


@pytest.mark.parametrize("dry", [False, True])
def test_what_is_found_out_keeps_the_largest_job_far_below_a_message(dry: bool) -> None:
    name = "\U0001f600" * 2_000
    of = view(job(*[row(n, pb.RUN_STATE_RUNNING) for n in range(dates.MAX_DATES)], backfill=spec(1)), **BOTH)
    for n in range(dates.MAX_DATES):
        hints = Hints().inquire(n, Inquiry(NOW_MS + WAIT_MS, task_id="7", task_name=name[: diagnosis.NAME_LENGTH]))
        ended = run_with(of.job.runs[n], state=pb.RUN_STATE_SUCCEEDED if dry else pb.RUN_STATE_FAILED)
        of.job.runs[n].CopyFrom(ended)
        asks = replace(of, hints=hints)
        found = TaskPage(tuple(task(k, name, "Success", trigger_recurrence="Skip") for k in range(50)), 50)
        change = absorbed(asks, LIST, found, n) if dry else absorbed(asks, GetTaskLog(7, 1), name, n)
        of.job.runs[n].CopyFrom(change.drafts[0].runs[0])

    assert of.job.ByteSize() < 2 * 1024 * 1024


def test_a_start_job_learns_the_place_of_its_instance_from_the_read() -> None:
    started = job(row(0, pb.RUN_STATE_RUNNING), start=pb.StartWorkflowInstancesSpec(ids=[100]))

    assert acted(plan(read_failed(started))).call == LIST
    bare = view(started, **BOTH)
    assert absorbed(bare, GetInstance(100), seen(100, FAILURE), 0).hints.inquiries == {}


def test_what_the_read_does_not_tell_the_job_knows() -> None:
    of = view(failing(), **BOTH)

    inquiry = absorbed(of, GetInstance(100), seen(100, FAILURE), 0).hints.inquiries[0]

    assert (inquiry.project_id, inquiry.day_ms) == (1, FEBRUARY_5)


def test_what_was_stopped_is_not_looked_into() -> None:
    stopped = job(row(0, pb.RUN_STATE_RUNNING, stop_time=timestamp(NOW_MS - 5)), operations=[confirmed(0)])
    assert read_failed(stopped).hints.inquiries == {}

    a_stop = job(row(0, pb.RUN_STATE_RUNNING), stop=pb.StopWorkflowInstancesSpec(ids=[100]))
    assert read_failed(a_stop).hints.inquiries == {}


def test_what_is_begun_is_finished_before_the_next_one_begins() -> None:
    rows = [row(n, pb.RUN_STATE_FAILED) for n in range(3)]
    hints = Hints().inquire(0, Inquiry(NOW_MS + 5, project_id=1, day_ms=1)).inquire(1, Inquiry(NOW_MS + 9, task_id="7"))
    of = view(job(*rows, operations=[confirmed(0, 1, 2)]), hints, **BOTH)

    assert acted(diagnosis.inquire(of)).call == GetTaskLog(7, 0)


def test_inquiries_that_nobody_waits_for_any_more_are_forgotten() -> None:
    of = failing()
    hints = Hints().inquire(5, Inquiry(NOW_MS)).inquire(6, Inquiry(NOW_MS + 1))
    change = absorbed(view(of, hints, **BOTH), GetInstance(100), seen(100, FAILURE), 0)

    assert set(change.hints.inquiries) == {0, 6}
