"""The store's clock, followed between its answers."""

from __future__ import annotations

import time

from headgate_redis.clock import StoreClock


def test_the_stores_clock_is_followed_between_its_answers() -> None:
    steady = 0
    clock = StoreClock(5_000, steady_ns=lambda: steady)
    before = clock.now_ms()

    clock.learn(1_000)
    steady = 250_000_000

    assert (before, clock.now_ms(), clock.monotonic()) == (5_000, 1_250, 0.25)


def test_before_the_store_was_asked_the_machines_clock_stands_in() -> None:
    assert abs(StoreClock().now_ms() - time.time_ns() // 1_000_000) < 5_000
