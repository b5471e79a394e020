"""No idle lane: random backfills against the ideal schedule of the same run times, and against the fewest calls."""

from __future__ import annotations

from functools import cache

import pytest

from tests.acceptance.lanes import Lived, live, scenario, told

pytestmark = [pytest.mark.slow, pytest.mark.whole]

SEEDS = range(30)
_lived = cache(lambda seed: live(scenario(seed)))


def _said(seed: int) -> tuple[Lived, str]:
    lived: Lived = _lived(seed)
    return lived, told(scenario(seed), lived)


@pytest.mark.parametrize("seed", SEEDS)
def test_never_do_more_dates_run_side_by_side_than_were_asked_for(seed: int) -> None:
    lived, line = _said(seed)

    assert lived.side_by_side <= scenario(seed).lanes, line
    assert {len(began) for began in lived.world.ledger.began_ms.values()} == {1}, line


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if scenario(seed).behaviour != "never"])
def test_no_lane_stands_idle_between_creates(seed: int) -> None:
    lived, line = _said(seed)

    assert lived.whole <= (1.15 if scenario(seed).fails else 1.05), line
