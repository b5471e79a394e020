"""Whether calls can be served: the store, the feed, the slots and drain, and who is told of it."""

import asyncio
import logging

import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from headgate_server.errors.exceptions import StoreFull, StoreUnavailable
from headgate_server.rpc.health import FULL, Health


class Parts:
    """What a health depends on, as a test sets it."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.is_following = True
        self.is_full = False
        self.health = Health(self.probe, lambda: self.is_following, lambda: self.is_full, ["a.B"])

    async def probe(self) -> None:
        if self.error is not None:
            raise self.error


async def test_a_server_that_has_tried_nothing_yet_is_starting() -> None:
    parts = Parts()
    assert parts.health.why_not() == "starting"

    await parts.health.check()

    assert parts.health.why_not() == ""
    assert parts.health.statuses == dict.fromkeys(["", "a.B"], HealthCheckResponse.SERVING)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (StoreUnavailable(), "the store can't be written"),
        (StoreFull(), ""),
        (RuntimeError("a fault of ours"), "the store can't be tried"),
    ],
)
async def test_a_store_in_trouble_is_why_unless_it_is_only_full(
    error: Exception, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    parts = Parts()
    parts.error = error

    await parts.health.check()

    assert parts.health.why_not() == why
    assert [row.levelno for row in caplog.records] == ([logging.ERROR] if isinstance(error, RuntimeError) else [])


async def test_a_feed_that_is_not_read_is_why() -> None:
    parts = Parts()
    parts.is_following = False

    await parts.health.check()

    assert parts.health.why_not() == "the feed can't be read"


async def test_slots_that_run_out_are_told_at_once_and_by_the_services_at_the_next_check() -> None:
    parts = Parts()
    await parts.health.check()
    parts.is_full = True

    assert parts.health.why_not() == FULL
    assert parts.health.statuses[""] == HealthCheckResponse.SERVING
    await parts.health.check()
    assert parts.health.statuses[""] == HealthCheckResponse.NOT_SERVING


async def test_draining_is_told_to_the_watchers_and_no_check_takes_it_back() -> None:
    parts = Parts()
    await parts.health.check()
    told = asyncio.Event()
    parts.health.watchers.add(told)

    await parts.health.drain()
    await parts.health.check()

    assert told.is_set() and parts.health.why_not() == "draining"
    assert set(parts.health.statuses.values()) == {HealthCheckResponse.NOT_SERVING}
