"""One date in a report, and what of it is not one success of one instance."""

from __future__ import annotations

import pytest
from google.rpc.code_pb2 import ALREADY_EXISTS
from google.rpc.status_pb2 import Status

from headgate import pb
from tests.server.reports.logs import Log, both_succeeded, kinds, row, seen


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
