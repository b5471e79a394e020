"""N5: what a plan says a backfill will cost, against what it did cost, over random backfills in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from statistics import mean, median

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.forecast import forecast
from headgate_worker.core.model.calls import WRITES
from headgate_worker.core.model.view import Policy
from tests.acceptance.virtual import World, backfill

TOLERANCE = 0.10
SLACK = 3
"""Calls that a forecast of a small backfill may be off by: one of ten is one too many to ask of five."""


def _spec(jitter: random.Random) -> pb.BackfillSpec:
    spec = backfill(
        jitter.choice((1, 2, 5, 12, 30, 70)),
        parallelism=jitter.choice((1, 1, 2, 3, 5, 10)),
        order=jitter.choice((pb.BACKFILL_ORDER_ASC, pb.BACKFILL_ORDER_DESC)),
        max_created_ahead=jitter.choice((0, 0, 0, 20)),
        start_mode=jitter.choice((pb.START_MODE_HEADGATE, pb.START_MODE_HEADGATE, pb.START_MODE_UPSTREAM)),
    )
    if jitter.random() < 0.4 and dates.span(spec.biz_dates) > 2:
        spec.days_of_week.extend([1, 2, 3, 4, 5])
    return spec


def _durations(jitter: random.Random) -> tuple[int, Callable[[date | None], int]]:
    """The middle of how long dates take, and how long one does."""
    middle = int(1_000 * 30 * 120 ** jitter.random())
    spread = jitter.choice((0.0, 0.02, 0.1))
    took = {day: int(middle * jitter.uniform(1 - spread, 1 + spread)) for day in range(400)}
    return int(median(took.values())), lambda day: took[day.timetuple().tm_yday] if day else middle


def _is_near(expected: int, counted: int) -> bool:
    return abs(expected - counted) <= max(SLACK, TOLERANCE * counted)


@pytest.mark.parametrize("seed", range(16))
def test_a_forecast_is_within_a_tenth_of_what_is_counted(
    seed: int, record_property: Callable[[str, object], None]
) -> None:
    jitter = random.Random(seed)
    spec, (middle, durations) = _spec(jitter), _durations(jitter)

    told = forecast(spec, dates.chosen(spec), middle, Policy())
    world = World(spec)
    world.cloud.durations = durations
    world.run()

    assert told is not None
    assert world.job.state == pb.JOB_STATE_SUCCEEDED
    writes = sum(type(call) in WRITES for _, call in world.ledger.calls)
    took_ms = world.job.end_time.ToMilliseconds() - world.job.create_time.ToMilliseconds()
    record_property("reads", f"{told.reads} told, {world.ledger.reads} counted")
    assert _is_near(told.reads, world.ledger.reads), (told, world.ledger.reads)
    assert _is_near(told.writes, writes), (told, writes)
    assert abs(told.makespan_ms - took_ms) <= TOLERANCE * took_ms + 30_000, (told, took_ms)


@pytest.mark.parametrize(("count", "hours", "width"), [(5, 3, 1), (8, 3, 4), (2, 8, 1)])
def test_dates_that_run_for_hours_are_forecast_in_proportion(count: int, hours: int, width: int) -> None:
    spec = backfill(count, parallelism=width)

    told = forecast(spec, dates.chosen(spec), hours * 3_600_000, Policy())
    world = World(spec)
    world.cloud.durations = lambda _: hours * 3_600_000
    world.run()

    assert told is not None
    assert _is_near(told.reads, world.ledger.reads), (told, world.ledger.reads)


def test_nothing_to_create_costs_nothing() -> None:
    told = forecast(backfill(3), [], 600_000, Policy())

    assert told is not None
    assert (told.reads, told.writes, told.makespan_ms) == (0, 0, 0)


def test_the_error_of_many_forecasts_is_small() -> None:
    errors = []
    for seed in range(10):
        jitter = random.Random(1_000 + seed)
        spec = backfill(jitter.randint(1, 25), parallelism=jitter.randint(1, 4))
        middle = jitter.randint(60_000, 1_000_000)
        world = World(spec)
        world.cloud.durations = lambda _, took=middle: took
        world.run()
        told = forecast(spec, dates.chosen(spec), middle, Policy())
        assert told is not None
        errors.append(abs(told.reads - world.ledger.reads) / world.ledger.reads)

    assert mean(errors) <= 0.05


def test_a_look_for_dry_runs_is_a_read_a_date() -> None:
    spec = backfill(30)
    days = dates.chosen(spec)

    plain, looking = (forecast(spec, days, 600_000, Policy(dry_run_ms=wait)) for wait in (0, 5_000))

    assert plain is not None and looking is not None
    assert abs(looking.reads - plain.reads - len(days)) <= SLACK
