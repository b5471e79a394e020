"""The emulator's clock: scaled, advanced, and never set back."""

import pytest

from headgate_emulator.clock import Clock


def test_the_clock_scales_jumps_and_stands_still() -> None:
    wall = [1_000]
    clock = Clock(lambda: wall[0], start_ms=50_000, scale=10)

    wall[0] = 1_100
    assert clock.now_ms() == 51_000
    clock.advance(2)
    assert clock.now_ms() == 53_000
    clock.rescale(0)
    wall[0] = 9_000
    assert (clock.now_ms(), clock.wall_ms(), clock.paced_ms()) == (53_000, 9_000, 11_000)


def test_the_clock_never_goes_back() -> None:
    wall = [1_000]
    clock = Clock(lambda: wall[0])

    wall[0] = 10

    assert clock.now_ms() == 1_000
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="backwards"):
        clock.rescale(-1)
