"""The cloud's limits per second and per day."""

import pytest

from headgate_emulator.dataworks.errors import ApiError
from headgate_emulator.dataworks.quota import EDITIONS, Limits, QuotaMeter


def refused(meter: QuotaMeter, *, writes: bool = False, at: int = 0) -> str:
    try:
        meter.admit(writes=writes, paced_ms=at, now_ms=at)
    except ApiError as error:
        return error.refusal.code
    return ""


def test_rates_are_counted_by_class_and_second() -> None:
    meter = QuotaMeter(Limits(read_qps=2, write_qps=1))

    assert [refused(meter) for _ in range(3)] == ["", "", "Throttling.User"]
    assert [refused(meter, writes=True) for _ in range(2)] == ["", "Throttling.User"]
    assert refused(meter, at=1000) == ""


def test_the_basic_edition_allows_five_a_second_and_a_hundred_a_day() -> None:
    meter = QuotaMeter(EDITIONS["basic"])

    answers = [refused(meter, writes=bool(n % 2), at=n * 200) for n in range(101)]

    assert answers == [""] * 100 + ["Throttling.Api.Risk"]
    assert refused(meter, at=86_400_000) == ""


def test_a_refused_rate_may_carry_a_hint_and_the_old_status() -> None:
    meter = QuotaMeter(Limits(total_qps=0, status=400, retry_after_ms=250))

    with pytest.raises(ApiError) as caught:
        meter.admit(writes=True, paced_ms=0, now_ms=0)

    assert (caught.value.refusal.status, caught.value.refusal.retry_after_ms) == (400, 250)
