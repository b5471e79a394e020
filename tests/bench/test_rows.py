"""The rows: all there, and one of them for real, with hardly any load."""

from __future__ import annotations

import subprocess
import sys

import pytest
from bench.__main__ import measured
from bench.figures import CannotMeasure, Found
from bench.registry import ROWS, BenchRow
from bench.setting import TINY, Size

pytestmark = pytest.mark.slow


def test_every_goal_has_its_row() -> None:
    assert list(ROWS)[:16] == [f"P{number}" for number in range(1, 17)]


def test_a_row_that_breaks_says_so() -> None:
    async def breaks(_size: Size) -> Found:
        raise ValueError("first line\nthe reason")

    assert measured(BenchRow("P0", "breaks", breaks), TINY).unmeasured == "it broke: ValueError: the reason"


def test_a_row_that_this_machine_cant_measure_says_why() -> None:
    async def refuses(_size: Size) -> Found:
        raise CannotMeasure("needs 4 cores")

    assert measured(BenchRow("P0", "refuses", refuses), TINY).unmeasured == "needs 4 cores"


def test_rows_are_listed() -> None:
    listed = subprocess.run([sys.executable, "-m", "bench", "--list"], capture_output=True, text=True, check=True)

    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(ROWS)


def test_an_unknown_row_is_refused() -> None:
    asked = subprocess.run([sys.executable, "-m", "bench", "--only", "P99"], capture_output=True, text=True)

    assert asked.returncode == 2
    assert "P99" in asked.stderr


@pytest.mark.timeout(120)
def test_a_row_in_small() -> None:
    result = measured(ROWS["P11"], TINY)

    assert not result.unmeasured
    assert all(figure.median > 0 for figure in result.figures)
