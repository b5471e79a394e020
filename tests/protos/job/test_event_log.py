"""The fold of a log: what events make of a job, and what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TRANSITIONS, IllegalTransition

_RUN_STATES = [state for state in pb.RunState.values() if state]


def _accepted(runs: int = 2) -> pb.JobEvent:
    job = pb.Job(name="jobs/t", uid="u-1")
    job.ttl_after_end.FromSeconds(60)
    for index in range(runs):
        job.runs.add(index=index, state=pb.RUN_STATE_PLANNED)
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, job=job)
    event.event_time.FromSeconds(100)
    return event


def _event(revision: int, state: pb.JobState.ValueType = pb.JOB_STATE_RUNNING, **fields: object) -> pb.JobEvent:
    event = pb.JobEvent(revision=revision, type=pb.EVENT_TYPE_STATE_CHANGED, state=state)
    event.event_time.FromSeconds(100 + revision)
    event.MergeFrom(pb.JobEvent(**fields))  # type: ignore[arg-type]
    return event


@st.composite
def logs(draw: st.DrawFn) -> list[pb.JobEvent]:
    """Whole logs of legal events."""
    events = [_accepted(draw(st.integers(0, 3)))]
    state: pb.JobState.ValueType = pb.JOB_STATE_QUEUED
    rows = len(events[0].job.runs)
    for revision in range(2, 2 + draw(st.integers(0, 8))):
        state = draw(st.sampled_from([state, *sorted(JOB_TRANSITIONS[state])]))
        event = _event(revision, state)
        for _ in range(draw(st.integers(0, 2))):
            index = draw(st.integers(0, rows))
            rows = max(rows, index + 1)
            event.runs.add(index=index, state=draw(st.sampled_from(_RUN_STATES)), workflow_instance_id=revision)
        if draw(st.booleans()):
            event.error.code = revision
        events.append(event)
    return events


@given(events=logs(), cut=st.integers(1, 9))
def test_a_prefix_and_the_rest_make_what_all_make(events: list[pb.JobEvent], cut: int) -> None:
    whole = event_log.replay(events)

    job = event_log.replay(events[:cut])
    for event in events[cut:]:
        job = event_log.fold(job, pb.JobEvent.FromString(event.SerializeToString()))
    assert job == whole


@given(events=logs())
def test_folding_changes_nothing_it_was_given(events: list[pb.JobEvent]) -> None:
    copies = [pb.JobEvent.FromString(event.SerializeToString()) for event in events]
    job = event_log.fold(None, events[0])
    for event in events[1:]:
        before = pb.Job.FromString(job.SerializeToString())
        after = event_log.fold(job, event)
        assert job == before
        job = after

    assert events == copies


@given(events=logs())
def test_a_job_agrees_with_its_log(events: list[pb.JobEvent]) -> None:
    job = event_log.replay(events)

    assert job.revision == len(events)
    assert job.state == events[-1].state
    assert job.counts == event_log.count_runs(job.runs)
    assert [run.index for run in job.runs] == list(range(len(job.runs)))
    assert job.update_time == events[-1].event_time
    assert job.HasField("end_time") == job.HasField("expire_time") == (job.state in _TERMINAL)


_TERMINAL = (pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_FAILED, pb.JOB_STATE_CANCELLED)


@pytest.mark.parametrize("revision", [0, 1, 3, -1])
def test_a_gap_or_a_repeat_breaks_the_log(revision: int) -> None:
    job = event_log.fold(None, _accepted())
    copy = pb.Job.FromString(job.SerializeToString())

    with pytest.raises(event_log.BrokenLog):
        event_log.fold(job, _event(revision))
    assert job == copy


def test_a_log_begins_with_the_acceptance_and_has_no_other() -> None:
    with pytest.raises(event_log.BrokenLog):
        event_log.fold(None, _event(1))
    late = _accepted()
    late.revision = 2
    with pytest.raises(event_log.BrokenLog):
        event_log.fold(None, late)
    with pytest.raises(event_log.BrokenLog):
        event_log.fold(event_log.fold(None, _accepted()), late)
    with pytest.raises(event_log.BrokenLog):
        event_log.replay([])


def test_an_illegal_move_changes_nothing() -> None:
    job = event_log.fold(None, _accepted())
    copy = pb.Job.FromString(job.SerializeToString())

    with pytest.raises(IllegalTransition):
        event_log.fold(job, _event(2, pb.JOB_STATE_SUCCEEDED))
    assert job == copy


def test_a_row_can_be_added_at_the_end_only() -> None:
    job = event_log.fold(None, _accepted(1))
    assert len(event_log.fold(job, _event(2, runs=[pb.InstanceRun(index=1)])).runs) == 2

    with pytest.raises(event_log.BrokenLog):
        event_log.fold(job, _event(2, runs=[pb.InstanceRun(index=2)]))


def test_a_row_replaces_the_whole_row() -> None:
    first = event_log.fold(None, _accepted(1))
    job = event_log.fold(
        first, _event(2, runs=[pb.InstanceRun(index=0, state=pb.RUN_STATE_RUNNING, upstream_status="x")])
    )
    job = event_log.fold(job, _event(3, runs=[pb.InstanceRun(index=0, state=pb.RUN_STATE_SUCCEEDED)]))

    assert job.runs[0] == pb.InstanceRun(index=0, state=pb.RUN_STATE_SUCCEEDED)


def test_the_times_of_a_job_are_those_of_its_events() -> None:
    job = event_log.replay([_accepted(), _event(2), _event(3), _event(4, pb.JOB_STATE_SUCCEEDED)])

    moments = job.create_time, job.start_time, job.update_time, job.end_time, job.expire_time
    assert [moment.seconds for moment in moments] == [100, 102, 104, 104, 164]
    again = event_log.fold(job, _event(5))
    assert not again.HasField("end_time")
    assert not again.HasField("expire_time")
    assert again.start_time.seconds == 102


def test_a_job_that_is_cancelled_or_paused_first_has_not_begun() -> None:
    cancelled = event_log.replay([_accepted(), _event(2, pb.JOB_STATE_CANCELLING), _event(3, pb.JOB_STATE_CANCELLED)])
    assert not cancelled.HasField("start_time")

    paused = event_log.replay([_accepted(), _event(2, pb.JOB_STATE_PAUSED)])
    assert not paused.HasField("start_time")
    assert event_log.fold(paused, _event(3)).start_time.seconds == 103


def test_an_error_stays_while_the_job_is_in_trouble_and_goes_with_it() -> None:
    events = [_accepted(), _event(2), _event(3, pb.JOB_STATE_NEEDS_ATTENTION, error={"code": 9})]
    assert event_log.replay(events).error.code == 9
    assert event_log.replay([*events, _event(4, pb.JOB_STATE_NEEDS_ATTENTION)]).error.code == 9
    assert not event_log.replay([*events, _event(4)]).HasField("error")
    assert not event_log.replay([*events[:2], _event(3, error={"code": 9})]).HasField("error")


def test_the_cancel_is_kept() -> None:
    cancel = pb.CancelRecord(actor="me", mode=pb.CANCEL_MODE_DRAIN)
    job = event_log.replay(
        [_accepted(), _event(2, pb.JOB_STATE_CANCELLING, cancel=cancel), _event(3, pb.JOB_STATE_CANCELLED)]
    )

    assert job.cancel == cancel


def test_every_state_of_a_run_is_counted_once() -> None:
    counts = event_log.count_runs(pb.InstanceRun(state=state) for state in _RUN_STATES)

    columns = [field.name for field in pb.RunCounts.DESCRIPTOR.fields if field.name != "total"]
    assert counts.total == len(_RUN_STATES) == sum(getattr(counts, column) for column in columns)


def test_the_etag_changes_with_every_event_and_job() -> None:
    tags = {event_log.etag(revision, uid) for revision in range(50) for uid in ("a", "b")}

    assert len(tags) == 100
    assert event_log.fold(None, _accepted()).etag == event_log.etag(1, "u-1")


def test_the_incarnation_tells_histories_apart() -> None:
    assert event_log.incarnation(b"one") != event_log.incarnation(b"two")
    assert len(event_log.incarnation(b"")) == 16
