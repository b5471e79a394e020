"""How busy a process is, by its CPU time and the clock."""

import pytest

from headgate_redis.cpu_load import HIGH, LOOK_SECONDS, CpuLoad


class Times:
    """CPU time and clock of a process, as a test sets them."""

    def __init__(self) -> None:
        self.cpu = self.clock = 100.0

    def load(self) -> CpuLoad:
        return CpuLoad(lambda: self.cpu, lambda: self.clock)


@pytest.mark.parametrize(("share", "is_high"), [(0.0, False), (HIGH - 0.1, False), (HIGH + 0.1, True), (2.0, True)])
def test_a_process_that_takes_nearly_a_core_is_busy(share: float, is_high: bool) -> None:
    times = Times()
    load = times.load()
    times.clock += 1.0
    times.cpu += share

    assert load.look() and load.high is is_high


def test_one_piece_of_work_is_no_load() -> None:
    times = Times()
    load = times.load()
    times.clock += LOOK_SECONDS / 2
    times.cpu += LOOK_SECONDS / 2

    assert not load.look() and not load.high


def test_a_load_that_is_over_counts_no_more() -> None:
    times = Times()
    load = times.load()
    times.clock, times.cpu = 101.0, 101.0
    assert load.look() and load.high

    times.clock = 102.0

    assert load.look() and not load.high
