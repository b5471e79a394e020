"""The statement holds when each date is known to have succeeded exactly once, and says otherwise what is not so."""

from __future__ import annotations

import pytest
from google.rpc.code_pb2 import ALREADY_EXISTS
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate_server.reports.job_report import report
from headgate_server.reports.report_stream import PART_BYTES, parts
from headgate_server.reports.sightings import DateSighting
from tests.server.reports.logs import NOW_MS, Log, at, both_succeeded, row, seen


def kinds(made: pb.JobReport) -> list[str]:
    """The kinds of the objections, in order."""
    names = [pb.ObjectionKind.Name(one.kind).removeprefix("OBJECTION_KIND_") for one in made.statement.objections]
    assert made.statement.holds is not bool(names)
    return names


def test_each_date_that_succeeded_once_is_told_with_who_started_it_and_how_long_it_took() -> None:
    made = both_succeeded().report()

    assert kinds(made) == []
    assert made.statement.text == "each of 2 dates succeeded exactly once; by the log, upstream was not asked"
    assert made.statement.basis == pb.REPORT_BASIS_LOG
    one = made.dates[0].instances[0]
    assert (one.workflow_instance_id, one.attempt, one.took.seconds) == (11, 1, 60)
    assert one.started_by == pb.STARTED_BY_HEADGATE
    assert [call.upstream_request_id for call in one.upstream_calls] == ["R-11"]
    assert (made.totals.dates, made.totals.succeeded_once, made.totals.instances) == (2, 2, 2)
    assert made.totals.run_time.seconds == 120


def test_a_date_that_failed_and_succeeded_then_has_run_to_success_once() -> None:
    of = Log()
    of.succeed(0, 11)
    of.run(1, pb.RUN_STATE_FAILED, 12, upstream_status="Failure", finished_time=at(50))
    of.again(1)
    of.succeed(1, 13)
    made = of.end().report()

    assert kinds(made) == []
    told = [(one.workflow_instance_id, one.attempt, one.state) for one in made.dates[1].instances]
    assert told == [(12, 1, pb.RUN_STATE_FAILED), (13, 2, pb.RUN_STATE_SUCCEEDED)]


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (pb.RUN_STATE_FAILED, "FAILED"),
        (pb.RUN_STATE_STOPPED, "STOPPED"),
        (pb.RUN_STATE_SKIPPED, "NOT_RUN"),
        (pb.RUN_STATE_UNRESOLVED, "OUTCOME_UNKNOWN"),
        (pb.RUN_STATE_RUNNING, "NOT_ENDED"),
        (pb.RUN_STATE_BLOCKED, "NOT_ENDED"),
    ],
)
def test_a_date_that_did_not_succeed_is_named(state: pb.RunState.ValueType, kind: str) -> None:
    of = Log()
    of.succeed(0, 11)
    of.run(1, state, 12)
    made = of.end(pb.JOB_STATE_FAILED).report()

    assert kinds(made) == [kind]
    assert [day.day for day in made.statement.objections[0].biz_dates] == [6]
    assert [day.has_objection for day in made.dates] == [False, True]


def test_a_date_without_an_instance_says_why() -> None:
    of = Log()
    of.succeed(0, 11)
    of.run(1, pb.RUN_STATE_SKIPPED, error=Status(code=9, message="an earlier date failed"))
    made = of.end(pb.JOB_STATE_FAILED).report()

    assert made.statement.objections[0].description == "an earlier date failed"
    assert made.totals.not_run == 1


def test_a_job_that_runs_says_so() -> None:
    of = Log()
    of.succeed(0, 11)
    of.succeed(1, 12)

    assert kinds(of.report()) == ["NOT_ENDED"]


def test_a_date_that_was_run_again_after_its_success_ran_twice() -> None:
    of = both_succeeded()
    of.say(pb.JobEvent(type=pb.EVENT_TYPE_RETRY_REQUESTED, state=pb.JOB_STATE_RUNNING, actor="ada", message="again"))
    of.again(1)
    of.succeed(1, 13)
    made = of.end().report()

    assert kinds(made) == ["RAN_TWICE"]
    assert list(made.statement.objections[0].workflow_instance_ids) == [12, 13]
    assert made.totals.succeeded_once == 1
    assert [(note.actor, note.message) for note in made.notes] == [("ada", "again")]


@pytest.mark.parametrize(
    "state", [pb.RUN_STATE_RUNNING, pb.RUN_STATE_STARTING, pb.RUN_STATE_BLOCKED, pb.RUN_STATE_UNRESOLVED]
)
def test_an_earlier_instance_that_was_let_go_of_may_have_run(state: pb.RunState.ValueType) -> None:
    of = Log()
    of.succeed(0, 11)
    of.run(1, state, 12)
    of.again(1)
    of.succeed(1, 13)
    of.end()

    assert kinds(of.report()) == ["OUTCOME_UNKNOWN"]
    assert kinds(of.report(seen(row(11), row(12, "Failure", 1), row(13, index=1)))) == []
    assert "RAN_TWICE" in kinds(of.report(seen(row(11), row(12, "Success", 1), row(13, index=1))))


@pytest.mark.parametrize("status", ["Success", "Failure"])
def test_a_date_that_was_left_alone_counts_by_what_was_there(status: str) -> None:
    of = Log(reprocess=pb.REPROCESS_MISSING_ONLY)
    of.succeed(0, 11)
    error = Status(code=ALREADY_EXISTS, message="instance 7 exists")
    of.run(1, pb.RUN_STATE_SKIPPED, 7, upstream_status=status, error=error)
    made = of.end().report()

    if status == "Success":
        assert kinds(made) == []
        assert "1 of them before this backfill" in made.statement.text
    else:
        assert kinds(made) == ["NOT_RUN"]
    assert (made.totals.left_alone, made.totals.not_run) == (1, 0)


@pytest.mark.parametrize("outcome", [pb.OPERATION_OUTCOME_INTENDED, pb.OPERATION_OUTCOME_AMBIGUOUS])
def test_a_call_whose_outcome_is_not_known_leaves_nothing_certain(outcome: pb.OperationOutcome.ValueType) -> None:
    of = Log()
    of.operation(outcome, pb.EVENT_TYPE_OPERATION_CHANGED)
    of.succeed(0, 11)
    of.succeed(1, 12)
    of.end()

    assert kinds(of.report()) == ["OUTCOME_UNKNOWN"]
    assert kinds(of.report(seen(row(11), row(12, index=1)))) == ["OUTCOME_UNKNOWN"]


def test_a_lost_reply_that_was_found_once_is_certain() -> None:
    of = Log()
    of.operation(pb.OPERATION_OUTCOME_AMBIGUOUS, pb.EVENT_TYPE_OPERATION_CHANGED, attempts=1)
    of.operation(pb.OPERATION_OUTCOME_ADOPTED, pb.EVENT_TYPE_RECONCILED, attempts=1, workflow_instance_ids=[11, 12])
    of.succeed(0, 11)
    of.succeed(1, 12)

    assert kinds(of.end().report()) == []


@pytest.mark.parametrize("type", [pb.EVENT_TYPE_RECONCILED, pb.EVENT_TYPE_RESOLVED])
def test_a_call_that_was_sent_again_after_a_lost_reply_is_to_be_verified(type: pb.EventType.ValueType) -> None:
    of = Log()
    of.operation(pb.OPERATION_OUTCOME_AMBIGUOUS, pb.EVENT_TYPE_OPERATION_CHANGED, attempts=1)
    of.operation(pb.OPERATION_OUTCOME_NOT_SENT, type, attempts=1)
    of.operation(pb.OPERATION_OUTCOME_CONFIRMED, pb.EVENT_TYPE_OPERATION_CHANGED, attempts=2)
    of.succeed(0, 11)
    of.succeed(1, 12)
    of.end()

    assert kinds(of.report()) == ["OUTCOME_UNKNOWN"]
    assert kinds(of.report(seen(row(11), row(12, index=1)))) == []
    assert kinds(of.report(seen(row(11)))) == ["NOT_VERIFIED", "OUTCOME_UNKNOWN"]


def test_instances_that_a_call_made_for_no_date_are_named() -> None:
    of = Log()
    of.operation(
        pb.OPERATION_OUTCOME_CONFIRMED, pb.EVENT_TYPE_OPERATION_CHANGED, attempts=1, workflow_instance_ids=[11, 12, 99]
    )
    of.succeed(0, 11)
    of.succeed(1, 12)
    made = of.end().report()

    assert kinds(made) == ["OUTCOME_UNKNOWN"]
    assert list(made.statement.objections[0].workflow_instance_ids) == [99]


def test_a_log_without_its_beginning_shows_nothing() -> None:
    of = both_succeeded()
    history = of.history(first=4)
    history.gaps.append("the log begins at revision 4")

    made = report(of.job, history, None, now_ms=NOW_MS)

    assert kinds(made) == ["LOG_INCOMPLETE"]
    assert [len(day.instances) for day in made.dates] == [1, 1]


def test_a_job_that_is_not_what_its_log_says_is_told() -> None:
    of = both_succeeded()
    of.job.runs[0].workflow_instance_id = 99

    made = report(of.job, of.history(), None, now_ms=NOW_MS)

    assert kinds(made) == ["LOG_DISAGREES"]


def test_what_upstream_confirms_is_told_with_when() -> None:
    made = both_succeeded().report(seen(row(11), row(12, index=1)))

    assert kinds(made) == []
    assert made.statement.basis == pb.REPORT_BASIS_UPSTREAM
    assert "upstream was asked about every date, until 2025-02-" in made.statement.text
    assert [day.check for day in made.dates] == [pb.DATE_CHECK_VERIFIED] * 2
    assert made.dates[0].instances[0].seen.status == "Success"


@pytest.mark.parametrize("status", ["Failure", "Running", "NotRun"])
def test_upstream_that_says_otherwise_is_told(status: str) -> None:
    made = both_succeeded().report(seen(row(11), row(12, status, 1)))

    assert kinds(made) == ["UPSTREAM_DISAGREES"]
    said = made.statement.objections[0].description
    assert said == f"the log says SUCCEEDED of instance 12, and upstream says {status} now"


def test_an_instance_that_has_run_again_in_the_console_is_told() -> None:
    made = both_succeeded().report(seen(row(11, started_time=at(100)), row(12, index=1, started_time=at(9_000))))

    assert kinds(made) == ["UPSTREAM_DISAGREES"]
    assert "has run again" in made.statement.objections[0].description


@pytest.mark.parametrize("status", ["Success", "Failure", "Running", "NotRun"])
def test_an_instance_of_somebody_else_is_told(status: str) -> None:
    other = row(50, status, create_user="2003", create_time=at(500), finished_time=at(600))
    made = both_succeeded().report(seen(row(11), other, row(12, index=1)))

    assert kinds(made) == (["RAN_TWICE", "FOREIGN_INSTANCE"] if status == "Success" else ["FOREIGN_INSTANCE"])
    told = made.dates[0].foreign_instances[0]
    assert (told.workflow_instance_id, told.create_user, told.is_earlier) == (50, "2003", False)


def test_what_had_ended_before_the_job_was_accepted_says_nothing_about_it() -> None:
    made = both_succeeded().report(seen(row(11), row(7, finished_time=at(-60)), row(12, index=1)))

    assert kinds(made) == []
    assert made.dates[0].foreign_instances[0].is_earlier
    assert made.dates[0].successes == 1


@pytest.mark.parametrize(
    "partial",
    [
        {0: DateSighting({11: row(11)})},
        {0: DateSighting({11: row(11)}), 1: DateSighting(error="UPSTREAM_QPS: slow down")},
        {0: DateSighting({11: row(11)}), 1: DateSighting(gone=frozenset({12}))},
    ],
)
def test_a_date_that_could_not_be_verified_is_not_shown(partial: dict[int, DateSighting]) -> None:
    made = both_succeeded().report(partial)

    assert kinds(made) == ["NOT_VERIFIED"]
    assert "upstream was asked about 1 of 2 dates" in made.statement.text
    assert made.dates[1].check == pb.DATE_CHECK_NOT_VERIFIED and made.dates[1].check_error
    assert (made.verification.dates_verified, made.verification.dates_not_verified) == (1, 1)
    assert made.statement.basis == pb.REPORT_BASIS_LOG


def test_dry_runs_are_part_of_the_statement() -> None:
    of = Log(1)
    of.succeed(0, 11)
    of.run(0, pb.RUN_STATE_SUCCEEDED, dry_run_tasks=["load"])
    made = of.end().report()

    assert kinds(made) == []
    assert "in 1 date tasks were ended by dry run" in made.statement.text


def test_a_year_with_ten_attempts_a_date_is_sent_in_parts_that_make_it_again() -> None:
    of = Log(366, max_attempts_per_date=10)
    for index in range(366):
        for attempt in range(10):
            of.run(index, pb.RUN_STATE_FAILED, 1_000_000_000_000 + index * 10 + attempt, call="0" * 36)
            of.again(index) if attempt < 9 else None
    whole = of.end(pb.JOB_STATE_FAILED).report()

    sent = list(parts(whole))

    merged = pb.JobReport()
    for part in sent:
        assert part.ByteSize() < PART_BYTES + 64 * 1024
        merged.MergeFrom(part)
    assert merged == whole
    assert whole.ByteSize() < 4 * 1024 * 1024
