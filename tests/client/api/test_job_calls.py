"""Calls about one job."""

import grpc
import pytest

from headgate import pb
from headgate_client import HeadgateError
from tests.client.scripted import JOB, Running


async def test_an_unknown_job_is_not_found(running: Running) -> None:
    with pytest.raises(HeadgateError) as caught:
        await running.client.jobs.get("other")

    assert caught.value.is_not_found
    assert str(caught.value) == "GetJob: NOT_FOUND JOB_UNKNOWN: it is job_unknown"


async def test_a_decision_is_repeated_only_with_an_etag(running: Running) -> None:
    running.script.failures = [grpc.StatusCode.UNAVAILABLE]
    handle = running.client.jobs.handle(JOB)

    with pytest.raises(HeadgateError):
        await handle.resolve(pb.RESOLUTION_NOT_EXECUTED, operation_index=0)
    running.script.failures = [grpc.StatusCode.UNAVAILABLE]
    job = await handle.resolve(pb.RESOLUTION_NOT_EXECUTED, operation_index=0, etag="e1")

    assert job.state == pb.JOB_STATE_RUNNING
    assert len(running.script.calls) == 3


async def test_the_log_is_walked_to_its_end(running: Running) -> None:
    revisions = [event.revision async for event in running.client.jobs.handle(JOB).events(2)]

    assert revisions == [2, 3, 4, 5, 6]
