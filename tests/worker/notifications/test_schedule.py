"""When a notification is sent again, and when it is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_worker.notifications.rules import WebhookEndpoint
from headgate_worker.notifications.schedule import (
    HOPELESS,
    LONGEST_SECONDS,
    Delivered,
    GivenUp,
    NextStep,
    SendAgain,
    WebhookReply,
    backoff_seconds,
    next_step,
)

ENDPOINT = WebhookEndpoint(name="e", url="https://x", attempts=4, give_up_seconds=60)


def step(status: int, *, attempt: int = 1, age: float = 0, asked: float = 0, jitter: float = 0.5) -> NextStep:
    reply = WebhookReply(status, "" if 200 <= status < 300 else f"status {status}", asked)
    return next_step(reply, ENDPOINT, attempt=attempt, age_seconds=age, jitter=jitter)


def test_what_was_taken_is_delivered() -> None:
    assert step(200) == step(204, attempt=9, age=1e6) == Delivered()


@pytest.mark.parametrize("status", [0, 302, 401, 403, 404, 408, 429, 500, 503])
def test_what_may_be_mended_is_sent_again(status: int) -> None:
    assert step(status) == SendAgain(0.75)


@pytest.mark.parametrize("status", sorted(HOPELESS))
def test_what_the_same_body_gets_again_is_given_up_at_once(status: int) -> None:
    found = step(status)

    assert isinstance(found, GivenUp) and str(status) in found.why


def test_attempts_and_time_are_bounded() -> None:
    assert isinstance(step(500, attempt=3), SendAgain)
    assert step(500, attempt=4) == GivenUp("status 500, after 4 attempts")
    assert step(500, attempt=2, age=59.0) == GivenUp("status 500, for 59 s")


def test_an_endpoint_that_asks_for_a_pause_gets_it_within_bounds() -> None:
    assert step(429, asked=30) == SendAgain(30)
    assert backoff_seconds(1, 1e9, 0) == LONGEST_SECONDS


@given(st.integers(1, 1_000), st.floats(0, 1e9), st.floats(0, 0.999))
def test_waits_grow_and_stay_within_bounds(attempt: int, asked: float, jitter: float) -> None:
    wait = backoff_seconds(attempt, asked, jitter)

    assert 0.5 <= wait <= LONGEST_SECONDS
    assert wait <= backoff_seconds(attempt + 1, asked, jitter)
    assert backoff_seconds(attempt, 0, 0) * 2 == pytest.approx(backoff_seconds(attempt, 0, 1))
