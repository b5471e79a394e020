"""When a backfill will end: over 200 simulated years, and against backfills that the real rules run in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from statistics import fmean

import pytest

from headgate import pb
from headgate.backfill import dates
from tests.acceptance import years
from tests.acceptance.virtual import World, backfill
from tests.acceptance.years import Year
from tests.protos.backfill.test_end_forecast import told

YEARS = 200


@cache
def lived() -> list[Year]:
    return [Year(seed) for seed in range(YEARS)]


@pytest.mark.parametrize(
    ("share", "least", "most", "error"),
    [(1 / 6, 0.80, 0.97, 0.10), (1 / 3, 0.85, 0.95, 0.10), (2 / 3, 0.80, 0.95, 0.10), (0.9, 0.75, 0.95, 0.15)],
)
def test_forecasts_of_200_years_hold_as_often_as_they_say(
    share: float, least: float, most: float, error: float, record_property: Callable[[str, object], None]
) -> None:
    """After a third of the dates nine of ten hold, 85 to 95 %, and the middle is off by a tenth of the rest at most."""
    held, errors = 0, []
    for year in lived():
        moment = year.moment_of(share)
        middle, late = told(year.job_at(moment), years.BEGIN_MS + round(moment * 1000))
        end_ms = years.BEGIN_MS + year.end * 1000
        held += end_ms <= late
        errors.append(abs(middle - end_ms) / (year.end - moment) / 1000)

    record_property("held", held / YEARS)
    record_property("mean error of the rest", fmean(errors))
    assert least <= held / YEARS <= most
    assert fmean(errors) <= error


@pytest.mark.parametrize("seed", range(6))
def test_what_the_real_rules_come_to_is_near_what_was_told(seed: int) -> None:
    """The simulated years are a model; here the worker's decisions run a backfill, polls and creates included."""
    rng = random.Random(seed)
    width = (1, 2, 3, 5, 5, 10)[seed]
    spec = backfill(48, parallelism=width, on_failure=pb.ON_FAILURE_CONTINUE, max_created_ahead=24)
    took = {day: int(400_000 * rng.lognormvariate(0, 0.25)) for day in dates.chosen(spec)}
    world = World(spec)
    world.cloud.durations = lambda day: took[day] if day else 400_000
    if seed % 2:
        world.cloud.fails = frozenset({list(took)[30]})

    world.run(lambda world: world.job.counts.succeeded == 16)
    now_ms = world.timeline.now_ms
    middle, late = told(world.job, now_ms)
    world.run()
    end_ms = world.job.end_time.ToMilliseconds()

    assert abs(middle - end_ms) <= 0.2 * (end_ms - now_ms), (middle - now_ms, end_ms - now_ms)
    assert end_ms <= late + 0.1 * (end_ms - now_ms)
