"""Shares of reads, without a server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from headgate_server.auth import read_shares
from headgate_server.auth.read_shares import ReadShares
from headgate_server.errors.exceptions import Refused
from headgate_server.ports.caller import ANONYMOUS, Caller, CallerLimits, Right
from headgate_server.ports.reads import ONE, ReadCost


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def caller(**limits: float) -> Caller:
    return Caller("noisy", frozenset(Right), None, CallerLimits(**limits))  # type: ignore[arg-type]


def refused(attempt: Callable[[], object]) -> tuple[str, str, float]:
    with pytest.raises(Refused) as caught:
        attempt()
    return caught.value.metadata["quota"], caught.value.message, caught.value.retry_seconds or 0.0


def test_places_are_given_back() -> None:
    shares, noisy = ReadShares(), caller(max_open_reads=2)
    with ExitStack() as open_reads:
        for _ in range(2):
            open_reads.enter_context(shares.taken(noisy, "", ONE))
        quota, message, _ = refused(lambda: open_reads.enter_context(shares.taken(noisy, "", ONE)))
        open_reads.enter_context(shares.taken(ANONYMOUS, "", ONE))
    assert (quota, message) == ("open_reads", "open_reads of caller:noisy: the limit is 2")
    with shares.taken(noisy, "", ONE):
        pass


def test_a_connection_has_half_of_the_places_and_others_have_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_shares, "MAX_READS_OF_CONNECTION", 3)
    shares = ReadShares()
    with ExitStack() as open_reads:
        for _ in range(3):
            open_reads.enter_context(shares.taken(ANONYMOUS, "slow", ONE))
        quota, message, _ = refused(lambda: open_reads.enter_context(shares.taken(caller(), "slow", ONE)))
        open_reads.enter_context(shares.taken(ANONYMOUS, "quick", ONE))
    assert (quota, message) == ("open_reads", "open_reads of connection:slow: the limit is 3")


def test_a_plan_alone_may_be_of_any_size() -> None:
    shares, noisy = ReadShares(), caller(max_plan_dates=1_000)
    with shares.taken(noisy, "", ReadCost(plan_dates=1_100)), shares.taken(noisy, "", ONE), ExitStack() as second:
        assert refused(lambda: second.enter_context(shares.taken(noisy, "", ReadCost(plan_dates=1))))[0] == "plan_dates"
    with shares.taken(noisy, "", ReadCost(plan_dates=600)), shares.taken(noisy, "", ReadCost(plan_dates=400)):
        pass


def test_reads_of_upstream_are_given_by_the_minute() -> None:
    clock = Hand()
    shares, noisy = ReadShares(clock), caller(upstream_reads_per_minute=60)
    with shares.taken(noisy, "", ReadCost(reads=50)), ExitStack() as second:
        quota, _, seconds = refused(lambda: second.enter_context(shares.taken(noisy, "", ReadCost(reads=20))))
        assert (quota, seconds) == ("upstream_reads_per_minute", 10.0)
        clock.seconds = 10.0
        second.enter_context(shares.taken(noisy, "", ReadCost(reads=20)))
    clock.seconds = 70.0
    with shares.taken(noisy, "", ReadCost(reads=1_100)):  # more than the bucket holds take all of it
        pass
    assert shares.draw(noisy, 1) == 1.0
    assert shares.draw(ANONYMOUS, 1_000_000) == 0.0
