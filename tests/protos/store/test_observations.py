"""Reads that are shared: claimed once, published once, never older than what is there. On a real Redis."""

from collections.abc import Iterator

import pytest
from redis import Redis

from headgate.store.observations import (
    ABANDON_SCRIPT,
    CLAIM_SCRIPT,
    PUBLISH_SCRIPT,
    AbandonArguments,
    ClaimReadArguments,
    KeptObservation,
    PublishArguments,
    ReadClaimed,
    ReadElsewhere,
    parse_claim,
)
from headgate_cli.dev.redis_server import RedisServer


class Store:
    """The three scripts on one claim and one observation."""

    def __init__(self, redis: "Redis") -> None:
        self.redis = redis

    def claim(self, token: str, since_ms: int | str = "", lease_ms: int = 60_000) -> object:
        arguments = ClaimReadArguments(since_ms, token, lease_ms, 3_600_000)
        return parse_claim(self.redis.eval(CLAIM_SCRIPT, 2, "claim", "seen", *arguments))  # type: ignore[arg-type]

    def publish(self, token: str, claimed_at: int, body: bytes) -> None:
        arguments = PublishArguments(token, claimed_at, body, 60_000, 3_600_000, 0, b"job")
        self.redis.eval(PUBLISH_SCRIPT, 3, "claim", "seen", "look", *arguments)  # type: ignore[arg-type]

    def abandon(self, token: str) -> None:
        self.redis.eval(ABANDON_SCRIPT, 1, "claim", *AbandonArguments(token))


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[Store]:
    with Redis.from_url(redis_server.url) as client:
        yield Store(client)


def claimed(found: object) -> int:
    assert isinstance(found, ReadClaimed)
    return found.at_ms


def test_the_first_reads_and_the_others_wait_for_it(store: Store) -> None:
    at_ms = claimed(store.claim("a"))

    found = store.claim("b")

    assert isinstance(found, ReadElsewhere) and found.since_ms >= at_ms and 0 < found.for_ms <= 60_000


def test_what_was_claimed_late_enough_serves_who_asked_before(store: Store) -> None:
    at_ms = claimed(store.claim("a"))
    store.publish("a", at_ms, b"row")

    assert store.claim("b", since_ms=at_ms) == KeptObservation(at_ms, b"row")
    assert isinstance(store.claim("b", since_ms=at_ms + 1), ReadClaimed)


def test_an_answer_that_was_claimed_earlier_than_what_is_there_is_dropped(store: Store) -> None:
    at_ms = claimed(store.claim("a"))
    store.publish("a", at_ms, b"new")

    store.publish("", at_ms - 10, b"old")

    assert store.claim("b", since_ms=at_ms) == KeptObservation(at_ms, b"new")


def test_a_claim_that_is_given_up_is_free_but_not_by_another(store: Store) -> None:
    claimed(store.claim("a"))

    store.abandon("b")
    assert isinstance(store.claim("c"), ReadElsewhere)
    store.abandon("a")

    assert isinstance(store.claim("c"), ReadClaimed)
