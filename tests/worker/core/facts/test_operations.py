"""What is known of calls that are not safe to repeat."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.facts.operations import done, made, refused, to_be_sent_again, unplaced
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import FailureKind
from headgate_worker.core.model.steps import apply
from tests.worker.core.building import NOW_MS, cancel, confirmed, failure, job, operation, row, states, taken, view

_NOT_SENT = operation(pb.OPERATION_OUTCOME_NOT_SENT, 0, 1)


def test_what_was_not_executed_is_sent_again_while_something_waits_for_it() -> None:
    waiting = job(row(0, pb.RUN_STATE_CREATING), row(1, pb.RUN_STATE_SKIPPED), operations=[_NOT_SENT])
    skipped = job(row(0, pb.RUN_STATE_SKIPPED), row(1, pb.RUN_STATE_SKIPPED), operations=[_NOT_SENT])

    assert to_be_sent_again(waiting, _NOT_SENT)
    assert not to_be_sent_again(skipped, _NOT_SENT)
    assert not done(waiting)
    assert done(skipped)
    assert to_be_sent_again(job(operations=[_NOT_SENT]), _NOT_SENT)  # a create without rows


@pytest.mark.parametrize("outcome", [o for o in pb.OperationOutcome.values() if o != pb.OPERATION_OUTCOME_NOT_SENT])
def test_only_what_was_not_executed_is_sent_again(outcome: pb.OperationOutcome.ValueType) -> None:
    one = operation(outcome, 0)

    assert not to_be_sent_again(job(row(0, pb.RUN_STATE_CREATING), operations=[one]), one)


def test_an_operation_is_done_when_its_instances_have_their_dates() -> None:
    half = job(row(0, pb.RUN_STATE_CREATED), row(1, pb.RUN_STATE_CREATING), operations=[confirmed(0, 1)])
    whole = job(row(0, pb.RUN_STATE_CREATED), row(1, pb.RUN_STATE_CREATED), operations=[confirmed(0, 1)])

    assert [instance_id for _, instance_id in unplaced(half)] == [101]
    assert not done(half)
    assert done(whole)
    assert not done(job(row(0, pb.RUN_STATE_PLANNED)))


def test_a_date_that_is_tried_again_gives_its_first_instance_up() -> None:
    again = row(0, pb.RUN_STATE_CREATED, attempt=1, operation_index=1)
    again.attempt, again.workflow_instance_id = 2, 500
    operations = [confirmed(0, 1), operation(pb.OPERATION_OUTCOME_CONFIRMED, 0, index=1, workflow_instance_ids=[500])]
    of = job(again, row(1, pb.RUN_STATE_SUCCEEDED), operations=operations)

    assert unplaced(of) == []


def test_an_instance_nobody_planned_is_still_to_be_placed() -> None:
    extra = operation(pb.OPERATION_OUTCOME_CONFIRMED, 0, workflow_instance_ids=[100, 900])

    assert [one for _, one in unplaced(job(row(0, pb.RUN_STATE_CREATED), operations=[extra]))] == [900]


def test_a_create_that_is_done_and_names_nothing_is_searched_for() -> None:
    of = view(job(row(0, pb.RUN_STATE_CREATING), operations=[operation(pb.OPERATION_OUTCOME_ACCEPTED, 0)]))
    after = taken(of, made(of, of.job.operations[0], ()))

    assert after.operations[0].outcome == pb.OPERATION_OUTCOME_AMBIGUOUS


def test_repeated_ids_are_one_instance() -> None:
    of = view(job(row(0, pb.RUN_STATE_CREATING), operations=[operation(pb.OPERATION_OUTCOME_ACCEPTED, 0)]))

    assert taken(of, made(of, of.job.operations[0], (100, 100))).operations[0].workflow_instance_ids == [100]


def test_the_instances_of_a_rerun_run_from_then_on() -> None:
    run = row(0, pb.RUN_STATE_CREATED, operation_index=-1)
    of = view(job(run, rerun=pb.RerunWorkflowInstancesSpec(ids=[100]), operations=[_NOT_SENT]))
    after = taken(of, made(of, of.job.operations[0], ()))

    assert states(after) == ["STARTING"]
    assert after.runs[0].started_by == pb.STARTED_BY_HEADGATE


_ERROR = errors.of_failure(failure(FailureKind.REFUSED), "CreateWorkflowInstances")


def test_the_dates_of_a_refused_create_have_failed() -> None:
    runs = row(0, pb.RUN_STATE_CREATING), row(1, pb.RUN_STATE_PLANNED)
    of = view(job(*runs, operations=[operation(pb.OPERATION_OUTCOME_INTENDED, 0)]))
    after = apply(of.job, refused(of, of.job.operations[0], _ERROR), now_ms=NOW_MS)[0]

    assert states(after) == ["FAILED", "PLANNED"]
    assert after.runs[0].error == _ERROR
    assert after.operations[0].outcome == pb.OPERATION_OUTCOME_REFUSED


def test_a_job_without_rows_fails_with_upstreams_words() -> None:
    intended = operation(pb.OPERATION_OUTCOME_INTENDED)
    of = view(job(create=pb.CreateWorkflowInstancesSpec(), operations=[intended]))
    after = apply(of.job, refused(of, intended, _ERROR), now_ms=NOW_MS)[0]
    assert (after.state, after.error) == (pb.JOB_STATE_FAILED, _ERROR)

    cancelled = view(job(create=pb.CreateWorkflowInstancesSpec(), operations=[intended], **cancel()))
    still = apply(cancelled.job, refused(cancelled, intended, _ERROR), now_ms=NOW_MS)[0]
    assert still.state == pb.JOB_STATE_CANCELLING
