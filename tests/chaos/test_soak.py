"""The soak in small, and the trend that it decides by."""

from __future__ import annotations

import subprocess
import sys

import pytest
from bench.chaos.stage import Trial
from bench.soak.run import Soak, soak, table
from bench.soak.trend import Bound, check, trend

pytestmark = pytest.mark.slow

BOUND = Bound(1.0, 0.1)


def series(values: list[float]) -> list[tuple[float, float]]:
    return [(float(at), value) for at, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "grows"),
    [
        ([10.0] * 20, False),
        ([0.5 * at for at in range(20)], True),
        ([float(min(at, 10)) for at in range(21)], False),  # warms up, and stays
        ([10.0, *[10.0] * 14, 90.0, *[10.0] * 5], False),  # a single peak
        ([30.0 - at for at in range(20)], False),
        ([100.0 + 0.9 * at for at in range(20)], False),  # within its share of the level
    ],
)
def test_what_counts_as_growing(values: list[float], grows: bool) -> None:
    assert check("it", trend(series(values)), BOUND).held is not grows


def test_a_rise_is_told_by_the_hour() -> None:
    found = trend([(0.0, 0.0), (10.0, 0.0), (20.0, 1.0)])

    assert (found.rise, found.seconds, found.per_hour) == (1.0, 10.0, 360.0)


async def test_a_soak_of_seconds() -> None:
    report = await soak(Trial("quick", 1), Soak(minutes=0.1, per_second=3.0, every=0.5, clients=2))

    quick = [found for found in report.checks if "second half" not in found.wanted]
    assert not [found for found in quick if not found.held], report.figures
    assert report.figures["submit"] == report.figures["delete"]
    assert "server-0: RSS, MB" in table(report)
    # Seconds after a start everything still warms up; what must hold all the same is that it was measured.
    assert len(report.checks) - len(quick) == 4 * 2 + 3  # two series of each process, three of Redis


@pytest.mark.parametrize("minutes", ["0", "1441", "soon"])
def test_minutes_that_make_no_sense_are_refused(minutes: str) -> None:
    asked = subprocess.run([sys.executable, "-m", "bench.soak", "--minutes", minutes], capture_output=True, text=True)

    assert asked.returncode == 2
    assert "--minutes" in asked.stderr
