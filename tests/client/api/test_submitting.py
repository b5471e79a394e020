"""Submits: safe to repeat, with their options, and the caller's message as it was."""

import uuid

import grpc

from headgate import pb
from tests.client.scripted import JOB, Running

SPEC = pb.BackfillSpec(project_id=257880, name="devinTestSparkSQL20run1")


def created(running: Running) -> list[pb.CreateBackfillRequest]:
    return [call for _, call in running.script.calls if isinstance(call, pb.CreateBackfillRequest)]


async def test_a_submit_whose_answer_is_lost_finds_its_job_again(running: Running) -> None:
    running.script.failures = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED]

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
