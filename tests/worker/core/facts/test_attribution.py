"""Who started and who stopped a run: right, or absent."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate_worker.core.facts.attribution import SETTLES_MS, noted, starter, stopper
from headgate_worker.core.facts.runs import NOBODY, THIS_JOB, Stopper
from headgate_worker.core.model.calls import StopRecord
from headgate_worker.core.model.steps import timestamp
from headgate_worker.core.model.view import Hints
from tests.worker.core.building import FAILURE, NOW_MS, RUNNING, job, operation, row, seen, view

OURS, THEIRS = "1000", "2000"
OPERATOR = Stopper(pb.STOPPED_BY_OPERATOR)
OTHER = Stopper(pb.STOPPED_BY_ANOTHER_JOB, "jobs/other")


def runs(**fields: object) -> pb.InstanceRun:
    return row(0, pb.RUN_STATE_RUNNING, started_by=pb.STARTED_BY_HEADGATE, **fields)


def ended(*, began_ms: int = -60_000, after_ms: int = 0, **fields: object) -> pb.WorkflowInstance:
    """An instance that ran for a minute and has ended now."""
    times = {"started_time": timestamp(NOW_MS + began_ms), "finished_time": timestamp(NOW_MS + after_ms)}
    return seen(100, FAILURE, **times, **fields)


@pytest.mark.parametrize(
    ("record", "by"),
    [
        (StopRecord("jobs/other", NOW_MS - 30_000, accepted=True), OTHER),
        (StopRecord("jobs/t", NOW_MS - 30_000, accepted=True), THIS_JOB),
        (StopRecord("jobs/other", NOW_MS + 5_001, accepted=True), NOBODY),
        (StopRecord("jobs/other", NOW_MS - 65_001, accepted=True), NOBODY),
        (StopRecord("jobs/other", NOW_MS - 65_001), OTHER),
        (StopRecord("jobs/other", NOW_MS - 125_001), NOBODY),
    ],
    ids=["another job", "this job", "after the end", "before the start", "before it, unanswered", "long before it"],
)
def test_a_stop_on_record_explains_an_end_within_its_run(record: StopRecord, by: Stopper) -> None:
    assert stopper(view(job(runs())), runs(), ended(), (record,)) == by


def test_of_several_jobs_the_first_to_stop_it_is_named_and_this_job_before_all() -> None:
    others = [StopRecord(f"jobs/{name}", NOW_MS - ago_ms, accepted=True) for name, ago_ms in (("b", 10), ("a", 20))]
    own = StopRecord("jobs/t", NOW_MS, accepted=True)

    assert stopper(view(job(runs())), runs(), ended(), others) == Stopper(pb.STOPPED_BY_ANOTHER_JOB, "jobs/a")
    assert stopper(view(job(runs())), runs(), ended(), [*others, own]) == THIS_JOB


def test_a_lost_stop_of_an_older_worker_is_believed() -> None:
    of = view(job(runs()), Hints(stops_lost=frozenset({0})))

    assert stopper(of, runs(), ended()) == THIS_JOB


@pytest.mark.parametrize(
    ("users", "before", "by"),
    [
        ((OURS, OURS), None, NOBODY),
        ((OURS, THEIRS), None, OPERATOR),
        ((OURS, ""), None, NOBODY),
        (("", THEIRS), None, NOBODY),
        ((OURS, THEIRS), (THEIRS, NOW_MS - SETTLES_MS), OPERATOR),
        ((OURS, THEIRS), (THEIRS, NOW_MS - SETTLES_MS - 1), NOBODY),
        ((OURS, OURS), (THEIRS, 0), OPERATOR),
    ],
)
def test_a_person_has_stopped_it_where_modify_user_changed_with_the_end(
    users: tuple[str, str], before: tuple[str, int] | None, by: Stopper
) -> None:
    of = view(job(runs()), Hints(modify_users={0: before} if before else {}))

    assert stopper(of, runs(), ended(create_user=users[0], modify_user=users[1])) == by


def test_whose_start_is_not_known_has_no_known_stop_of_a_person() -> None:
    unread = row(0, pb.RUN_STATE_BLOCKED, blocked_by_id=9)

    assert stopper(view(job(unread)), unread, ended(create_user=OURS, modify_user=THEIRS)) == NOBODY


def test_of_instances_that_others_made_only_a_change_while_it_runs_tells() -> None:
    run = row(0, pb.RUN_STATE_RUNNING)
    run.operation_index = -1
    end = ended(create_user="schedule", modify_user=THEIRS)

    assert stopper(view(job(run)), run, end) == NOBODY
    assert stopper(view(job(run), Hints(modify_users={0: (OURS, NOW_MS)})), run, end) == OPERATOR
    assert stopper(view(job(run), Hints(modify_users={0: (THEIRS, NOW_MS)})), run, end) == NOBODY


def test_the_hints_keep_since_when_somebody_else_has_changed_what_runs() -> None:
    mine = seen(100, RUNNING, create_user=OURS, modify_user=OURS)
    theirs = seen(100, RUNNING, create_user=OURS, modify_user=THEIRS)

    assert noted(runs(), mine, 1, Hints()) == Hints()
    touched = noted(runs(), theirs, 2, Hints())
    assert touched.modify_users == {0: (THEIRS, 2)}
    assert noted(runs(), theirs, 3, touched) is touched
    assert noted(runs(), mine, 4, touched).modify_users == {0: (OURS, 4)}


def _child(parent_ended_ms: int | None, began_ms: int, **fields: object) -> pb.StartedBy.ValueType:
    parent = row(0, pb.RUN_STATE_RUNNING if parent_ended_ms is None else pb.RUN_STATE_SUCCEEDED)
    if parent_ended_ms is not None:
        parent.finished_time.CopyFrom(timestamp(parent_ended_ms))
    child = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100)
    of = view(job(parent, child))
    return starter(of, child, seen(101, RUNNING, started_time=timestamp(began_ms), **fields))


def test_a_child_that_began_before_its_parent_ran_again_may_have_been_released_by_the_run_before() -> None:
    parent = row(0, pb.RUN_STATE_SUCCEEDED, started_time=timestamp(NOW_MS), finished_time=timestamp(NOW_MS + 9))
    child = row(1, pb.RUN_STATE_BLOCKED, blocked_by_id=100)
    of = view(job(parent, child))

    before, during = (seen(101, RUNNING, started_time=timestamp(NOW_MS + after)) for after in (-1, 1))
    assert starter(of, child, before) == pb.STARTED_BY_UNSPECIFIED
    assert starter(of, child, during) == pb.STARTED_BY_OPERATOR
    parent.started_by = pb.STARTED_BY_HEADGATE  # this job starts it once
    assert starter(view(job(parent, child)), child, before) == pb.STARTED_BY_OPERATOR


def test_a_child_was_started_by_upstream_in_the_time_in_which_this_job_does_not() -> None:
    grace_ms = 90_000

    assert _child(NOW_MS, NOW_MS - 1) == pb.STARTED_BY_OPERATOR
    assert _child(NOW_MS, NOW_MS) == pb.STARTED_BY_UPSTREAM
    assert _child(NOW_MS, NOW_MS + grace_ms) == pb.STARTED_BY_UPSTREAM
    assert _child(NOW_MS, NOW_MS + grace_ms + 1) == pb.STARTED_BY_UNSPECIFIED
    assert _child(None, NOW_MS) == pb.STARTED_BY_UNSPECIFIED
    assert _child(NOW_MS, NOW_MS, create_user=OURS, modify_user=THEIRS) == pb.STARTED_BY_UNSPECIFIED


@pytest.mark.parametrize(
    ("fields", "by"),
    [
        ({"stop": pb.StopWorkflowInstancesSpec()}, pb.STARTED_BY_UNSPECIFIED),
        ({"start": pb.StartWorkflowInstancesSpec()}, pb.STARTED_BY_UNSPECIFIED),
        ({"create": pb.CreateWorkflowInstancesSpec()}, pb.STARTED_BY_OPERATOR),
        ({"create": pb.CreateWorkflowInstancesSpec(auto_start_enabled=True)}, pb.STARTED_BY_UPSTREAM),
        ({"backfill": pb.BackfillSpec()}, pb.STARTED_BY_UNSPECIFIED),
        ({"backfill": pb.BackfillSpec(start_mode=pb.START_MODE_UPSTREAM)}, pb.STARTED_BY_UPSTREAM),
    ],
)
def test_what_has_begun_without_a_start_of_this_job(fields: dict[str, object], by: pb.StartedBy.ValueType) -> None:
    """A job that may start it can't tell: a start whose reply was lost leaves no trace."""
    run = row(0, pb.RUN_STATE_CREATED)
    of = view(job(run, operations=[operation(pb.OPERATION_OUTCOME_CONFIRMED)], **fields))

    assert starter(of, run, seen(100, RUNNING)) == by
