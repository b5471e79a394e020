"""Drafts that become events, and rows that are changed by copying."""

from __future__ import annotations

from headgate import pb
from headgate.job import event_log
from headgate_worker.core.model.calls import ACTIONS, NOT_REPEATABLE, WRITES, StartInstances
from headgate_worker.core.model.steps import (
    Act,
    after,
    apply,
    operation_changed,
    operation_with,
    run_with,
    runs_changed,
)
from tests.worker.core.building import NOW_MS, confirmed, job, row, view


def test_drafts_become_events_in_a_row() -> None:
    of = job(row(0, pb.RUN_STATE_PLANNED), row(1, pb.RUN_STATE_PLANNED))
    drafts = (
        runs_changed(row(0, pb.RUN_STATE_CREATING), message="x"),
        pb.JobEvent(state=pb.JOB_STATE_PAUSED, actor="me"),
    )
    done, events = apply(of, drafts, now_ms=NOW_MS)

    assert [event.revision for event in events] == [6, 7]
    assert [event.actor for event in events] == ["worker", "me"]
    assert [event.state for event in events] == [pb.JOB_STATE_RUNNING, pb.JOB_STATE_PAUSED]
    assert events[0].event_time.ToMilliseconds() == NOW_MS
    assert (done.revision, done.state) == (7, pb.JOB_STATE_PAUSED)
    assert (of.revision, of.state) == (5, pb.JOB_STATE_RUNNING)


def test_the_counts_of_an_event_are_those_after_it() -> None:
    of = job(row(0, pb.RUN_STATE_PLANNED), row(1, pb.RUN_STATE_PLANNED))
    done, events = apply(of, (runs_changed(row(1, pb.RUN_STATE_FAILED), message="x"),), now_ms=NOW_MS)

    assert events[0].counts == done.counts == pb.RunCounts(total=2, waiting=1, failed=1)
    assert not apply(of, (pb.JobEvent(),), now_ms=NOW_MS)[1][0].HasField("counts")


def test_an_event_is_folded_by_everybody_alike() -> None:
    of = job(row(0, pb.RUN_STATE_PLANNED))
    done, events = apply(
        of, (operation_changed(confirmed(0), row(0, pb.RUN_STATE_CREATED), message="x"),), now_ms=NOW_MS
    )

    assert event_log.fold(of, pb.JobEvent.FromString(events[0].SerializeToString())) == done


def test_a_row_is_changed_by_copying() -> None:
    run = row(0, pb.RUN_STATE_BLOCKED, blocked_by_id=7)
    changed = run_with(run, state=pb.RUN_STATE_RUNNING, blocked_by_id=None)

    assert (changed.state, changed.blocked_by_id) == (pb.RUN_STATE_RUNNING, 0)
    assert (run.state, run.blocked_by_id) == (pb.RUN_STATE_BLOCKED, 7)
    assert run_with(run, error=None) == run


def test_lists_are_replaced_not_appended_to() -> None:
    assert list(operation_with(confirmed(0), workflow_instance_ids=[5]).workflow_instance_ids) == [5]


def test_the_view_after_drafts_is_of_the_job_after_them() -> None:
    of = view(job(row(0, pb.RUN_STATE_PLANNED)))

    assert after(of, (pb.JobEvent(state=pb.JOB_STATE_PAUSED),)).job.state == pb.JOB_STATE_PAUSED
    assert of.job.state == pb.JOB_STATE_RUNNING


def test_a_start_needs_a_commit_even_without_events() -> None:
    assert Act(call=StartInstances((1,))).needs_commit
    assert Act((pb.JobEvent(),)).needs_commit
    assert not Act().needs_commit


def test_every_call_has_upstreams_name_and_what_may_not_be_repeated_is_a_write() -> None:
    assert ACTIONS.keys() >= WRITES | NOT_REPEATABLE
    assert NOT_REPEATABLE <= WRITES
    assert StartInstances not in NOT_REPEATABLE
