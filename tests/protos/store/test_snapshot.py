"""What of a job the store keeps beside its log, and what it makes of both."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate.job import event_log
from headgate.store import snapshot


def accepted(runs: int = 3) -> tuple[pb.Job, bytes]:
    """A job as accepted, and its first event."""
    job = pb.Job(name="jobs/t", uid="0123456789abcdef", labels={"a": "1", "b": "2"})
    job.runs.extend(pb.InstanceRun(index=index, state=pb.RUN_STATE_PLANNED) for index in range(runs))
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, actor="me", job=job)
    event.job.CopyFrom(event_log.fold(None, event))
    return event_log.fold(None, event), event.SerializeToString(deterministic=True)


@pytest.mark.parametrize("runs", [0, 1, 400])
def test_a_job_as_accepted_is_found_in_its_first_event(runs: int) -> None:
    job, first = accepted(runs)

    assert snapshot.job_of(None, first) == snapshot.job_of(b"", first) == job
    assert pb.Job.FromString(snapshot.body_of(first)) == job


def test_no_snapshot_is_kept_of_what_the_first_event_holds() -> None:
    job = pb.Job(name="jobs/t", uid="u", revision=1)
    first = pb.JobEvent(revision=1, job=job).SerializeToString()

    assert snapshot.to_keep(job, 0, (first,)) == b""


def test_a_job_that_its_first_event_tells_only_in_part_is_kept() -> None:
    job, _ = accepted()
    partly = pb.JobEvent(revision=1, job=pb.Job(name=job.name)).SerializeToString()

    assert pb.Job.FromString(snapshot.to_keep(job, 0, (partly,))) == job


def test_more_than_one_event_is_kept_as_a_snapshot() -> None:
    job = pb.Job(name="jobs/t", uid="u")
    first = pb.JobEvent(revision=1, job=job).SerializeToString()

    assert pb.Job.FromString(snapshot.to_keep(job, 0, (first, b"e2"))) == job
    assert pb.Job.FromString(snapshot.to_keep(job, 1, (first,))) == job


def test_a_change_of_timing_brings_no_snapshot() -> None:
    assert snapshot.to_keep(pb.Job(name="jobs/t"), 7, ()) == b""


def test_a_snapshot_goes_before_the_first_event() -> None:
    _, first = accepted()
    later = pb.Job(name="jobs/t", revision=5)

    assert snapshot.job_of(later.SerializeToString(), first) == later


def test_without_snapshot_and_event_there_is_no_job() -> None:
    assert snapshot.job_of(None, None) is None
