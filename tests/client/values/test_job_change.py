"""What an update changes, in Python's values: each that is given is named in the mask, and nothing else."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest

from headgate import pb
from headgate_client.values.job_change import update_request
from tests.client.scripted import JOB, Running


def test_what_is_given_is_named() -> None:
    deadline = datetime(2025, 2, 9, tzinfo=UTC)

    request = update_request(
        JOB,
        {
            "priority": 0,
            "labels": {},
            "deadline_time": deadline,
            "ttl_after_end": timedelta(days=2),
            "parallelism": 3,
            "max_attempts_per_date": 2,
            "on_failure": pb.ON_FAILURE_DRAIN,
        },
    )

    assert list(request.update_mask.paths) == [
        "priority",
        "labels",
        "deadline_time",
        "ttl_after_end",
        "backfill.default_run_properties.parallelism",
        "backfill.max_attempts_per_date",
        "backfill.on_failure",
    ]
    job = request.job
    assert (job.name, job.priority, job.backfill.default_run_properties.parallelism) == (JOB, 0, 3)
    assert (job.deadline_time.ToDatetime(UTC), job.ttl_after_end.seconds) == (deadline, 172_800)


def test_an_update_of_a_plain_job_carries_no_backfill() -> None:
    request = update_request(JOB, {"priority": 5})

    assert (list(request.update_mask.paths), request.job) == (["priority"], pb.Job(name=JOB, priority=5))


def test_nothing_to_change_and_a_deadline_without_a_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="names what it changes"):
        update_request(JOB, {})
    with pytest.raises(ValueError, match="time zone"):
        update_request(JOB, {"deadline_time": datetime(2025, 2, 9)})


async def test_an_update_whose_answer_is_lost_is_repeated_as_it_was(running: Running) -> None:
    running.script.failures = [grpc.StatusCode.UNAVAILABLE]

    job = await running.client.jobs.handle(JOB).update(priority=5, etag="e")

    first, second = [call for _, call in running.script.calls if isinstance(call, pb.UpdateJobRequest)]
    assert first == second and first.request_id and first.job.etag == "e"
    assert (job.name, job.priority) == (JOB, 5)
