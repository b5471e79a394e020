"""A bucket of calls: a burst, then its rate."""

import pytest

from headgate_server.auth import rate_limit


def test_a_bucket_gives_a_burst_then_its_rate() -> None:
    bucket, waits = rate_limit.full(10, 0), []
    for _ in range(11):
        bucket, wait = rate_limit.draw(bucket, 10, 0)
        waits.append(wait)
    assert waits == [0] * 10 + [pytest.approx(0.1)]

    bucket, wait = rate_limit.draw(bucket, 10, 0.1)
    assert wait == 0
    _, wait = rate_limit.draw(bucket, 10, 0.1)
    assert wait == pytest.approx(0.1)


def test_a_bucket_holds_no_more_than_a_burst_and_one_call_at_least() -> None:
    slow = rate_limit.full(0.5, 0)
    slow, wait = rate_limit.draw(slow, 0.5, 0)
    assert wait == 0
    _, wait = rate_limit.draw(slow, 0.5, 1_000)
    assert wait == 0
    slow, _ = rate_limit.draw(slow, 0.5, 1_000)
    assert rate_limit.draw(slow, 0.5, 1_000)[1] == pytest.approx(2)
