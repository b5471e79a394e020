import grpc
import pytest

from headgate_client import ClientOptions, HeadgateError, RetryPolicy
from tests.client.scripted import HURRIED, JOB, Running, serve

UNAVAILABLE, CANCELLED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED


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


async def test_the_token_travels_with_every_call() -> None:
    async with serve(options=ClientOptions(token="s3cret", retry=HURRIED)) as running:
        await running.client.jobs.get(JOB)

    assert running.script.metadata[0]["authorization"] == "Bearer s3cret"
