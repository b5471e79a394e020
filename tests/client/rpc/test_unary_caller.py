import uuid

import grpc
import pytest

from headgate import pb
from headgate_client import ClientOptions, HeadgateError, RetryPolicy
from tests.client.scripted import HURRIED, JOB, Running, serve

SPEC = pb.BackfillSpec(project_id=257880, name="devinTestSparkSQL20run1")
UNAVAILABLE, CANCELLED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED


def created(running: Running) -> list[pb.CreateBackfillRequest]:
    return [call for _, call in running.script.calls if isinstance(call, pb.CreateBackfillRequest)]


async def test_a_submit_whose_answer_is_lost_finds_its_job_again(running: Running) -> None:
    running.script.failures = [UNAVAILABLE, CANCELLED]

    handle = await running.client.backfills.create(SPEC, job_id="orders-2025")

    requests = created(running)
    assert handle.id == "orders-2025" and handle.name == JOB
    assert len(requests) == 3 and len(running.script.jobs) == 1
    assert len({request.request_id for request in requests}) == 1
    assert uuid.UUID(requests[0].request_id)


async def test_two_submits_are_two_jobs_unless_they_share_a_request_id(running: Running) -> None:
    await running.client.backfills.create(SPEC)
    await running.client.backfills.create(SPEC)
    await running.client.backfills.create(SPEC, request_id="mine")
    await running.client.backfills.create(SPEC, request_id="mine")

    assert len(running.script.jobs) == 3


async def test_options_of_a_job_travel_and_the_callers_message_stays_as_it_is(running: Running) -> None:
    request = pb.CreateBackfillRequest(spec=SPEC)

    await running.client.jobs.submit(request, labels={"team": "orders"}, priority=3, until=pb.UNTIL_STARTED)

    sent = created(running)[0]
    assert dict(sent.options.labels) == {"team": "orders"} and sent.options.priority == 3
    assert sent.until == pb.UNTIL_STARTED
    assert request == pb.CreateBackfillRequest(spec=SPEC)


async def test_field_errors_name_every_field(running: Running) -> None:
    with pytest.raises(HeadgateError) as caught:
        await running.client.backfills.create(pb.BackfillSpec())

    error = caught.value
    assert error.is_invalid and not error.is_retryable
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert [(row.subject, row.description) for row in error.field_violations] == [("spec.name", "must not be empty")]
    assert "spec.name: must not be empty" in str(error)
    assert error.metadata == {"job": JOB}
    assert len(created(running)) == 1


async def test_an_unknown_job_is_not_found(running: Running) -> None:
    with pytest.raises(HeadgateError) as caught:
        await running.client.jobs.get("other")

    assert caught.value.is_not_found
    assert str(caught.value) == "GetJob: NOT_FOUND JOB_UNKNOWN: it is job_unknown"


async def test_tries_are_bounded() -> None:
    few = RetryPolicy(max_attempts=3, first_delay=0.001, longest_delay=0.001)
    async with serve(options=ClientOptions(retry=few)) as running:
        running.script.failures = [UNAVAILABLE] * 9

        with pytest.raises(HeadgateError) as caught:
            await running.client.jobs.get(JOB)

    assert caught.value.is_unavailable and caught.value.is_retryable
    assert len(running.script.calls) == 3


async def test_other_failures_are_not_tried_again(running: Running) -> None:
    running.script.failures = [grpc.StatusCode.RESOURCE_EXHAUSTED]

    with pytest.raises(HeadgateError):
        await running.client.jobs.get(JOB)

    assert len(running.script.calls) == 1


async def test_a_decision_is_repeated_only_with_an_etag(running: Running) -> None:
    running.script.failures = [UNAVAILABLE]
    handle = running.client.jobs.handle(JOB)

    with pytest.raises(HeadgateError):
        await handle.resolve(pb.RESOLUTION_NOT_EXECUTED, operation_index=0)
    running.script.failures = [UNAVAILABLE]
    job = await handle.resolve(pb.RESOLUTION_NOT_EXECUTED, operation_index=0, etag="e1")

    assert job.state == pb.JOB_STATE_RUNNING
    assert len(running.script.calls) == 3


async def test_pages_are_walked_as_one_list(running: Running) -> None:
    names = [job.name async for job in running.client.jobs.list("state = RUNNING")]

    assert names == [f"jobs/j{i}" for i in range(6)]
    assert [call for call, _ in running.script.calls] == ["ListJobs"] * 3


async def test_the_log_is_walked_to_its_end(running: Running) -> None:
    revisions = [event.revision async for event in running.client.jobs.handle(JOB).events(2)]

    assert revisions == [2, 3, 4, 5, 6]


async def test_the_token_travels_with_every_call() -> None:
    async with serve(options=ClientOptions(token="s3cret", retry=HURRIED)) as running:
        await running.client.jobs.get(JOB)

    assert running.script.metadata[0]["authorization"] == "Bearer s3cret"
