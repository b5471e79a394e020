"""Fields of a job that can change while it goes on, copied from one job to another."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from headgate import pb
from headgate.job import job_update
from headgate.job.job_update import CHANGEABLE, DEADLINE, PARALLELISM


def full() -> pb.Job:
    job = pb.Job(name="jobs/orders", priority=5, labels={"team": "orders"}, state=pb.JOB_STATE_RUNNING)
    job.deadline_time.seconds = 100
    job.ttl_after_end.seconds = 200
    job.backfill.name = "orders"
    job.backfill.default_run_properties.parallelism = 4
    job.backfill.max_attempts_per_date = 3
    job.backfill.on_failure = pb.ON_FAILURE_HALT
    return job


@pytest.mark.parametrize("path", CHANGEABLE)
def test_one_field_is_copied_and_no_other(path: str) -> None:
    target = pb.Job()

    job_update.copy(path, full(), target)

    assert job_update.has(target, path)
    assert [other for other in CHANGEABLE if job_update.has(target, other)] == [path]
    assert not target.name and not target.state and not target.backfill.name


@pytest.mark.parametrize("path", CHANGEABLE)
def test_a_field_without_a_value_is_cleared(path: str) -> None:
    target = full()

    job_update.copy(path, pb.Job(), target)

    assert not job_update.has(target, path)
    assert target.name == "jobs/orders" and target.backfill.name == "orders"


def test_labels_are_replaced_and_not_joined() -> None:
    target = full()

    job_update.copy("labels", pb.Job(labels={"owner": "ada"}), target)

    assert dict(target.labels) == {"owner": "ada"}


def test_an_update_is_taken_back_by_what_was_before() -> None:
    before, job = full(), full()
    update = pb.JobUpdate(update_mask=FieldMask(paths=["priority", DEADLINE, PARALLELISM, "of_a_later_version"]))
    update.before.CopyFrom(job_update.only(update.update_mask.paths[:3], before))
    update.after.priority = 9
    update.after.backfill.default_run_properties.parallelism = 1

    job_update.apply(update, job)
    assert (job.priority, job.backfill.default_run_properties.parallelism) == (9, 1)
    assert not job.HasField(DEADLINE)
    job_update.revert(update, job)

    assert job == before
