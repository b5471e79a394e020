"""The statement about all dates, and what there is against it."""

from __future__ import annotations

import pytest

from headgate import pb
from tests.server.reports.logs import Log, kinds, row, seen


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


def test_dry_runs_are_part_of_the_statement() -> None:
    of = Log(1)
    of.succeed(0, 11)
    of.run(0, pb.RUN_STATE_SUCCEEDED, dry_run_tasks=["load"])
    made = of.end().report()

    assert kinds(made) == []
    assert "in 1 date tasks were ended by dry run" in made.statement.text
