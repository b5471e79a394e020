"""How long a call waits before it is tried again, and how often."""

import pytest

from headgate_client import RetryPolicy


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_waits_grow_are_bounded_and_obey_the_server(jitter: float) -> None:
    policy = RetryPolicy(first_delay=0.1, factor=2, longest_delay=1)
    waits = [policy.delay(failures, jitter) for failures in range(1, 9)]

    assert waits == sorted(waits)
    assert 0.05 <= waits[0] <= 0.1 and 0.5 <= waits[-1] <= 1
    assert 3 <= policy.delay(1, jitter, at_least=3) <= 3.75
    assert policy.delay(10_000, jitter) <= 1


def test_tries_end_with_their_number_or_their_budget() -> None:
    policy = RetryPolicy(max_attempts=3, budget=10)

    assert policy.allows(2, 0, 1)
    assert not policy.allows(3, 0, 1)
    assert not policy.allows(1, 9.5, 1)
