"""Whole histories with faults: a few hundred here; `python -m tests.simulator --count 10000` runs many more."""

from __future__ import annotations

import pytest

from tests.simulator.history import live

pytestmark = pytest.mark.slow

SEEDS = 400
_PER_TEST = 50


@pytest.mark.parametrize("first", range(0, SEEDS, _PER_TEST))
def test_every_history_keeps_every_promise(first: int) -> None:
    broken = [result for result in map(live, range(first, first + _PER_TEST)) if result.problem]

    told = [f"seed {result.seed}: {result.kind} {result.state}: {result.problem}" for result in broken]
    history = live(broken[0].seed, trace=True).trace if broken else ()
    assert not broken, "\n".join([*told, *history])


def test_a_history_is_the_same_again() -> None:
    assert live(7, trace=True) == live(7, trace=True)


def test_the_histories_come_to_every_end() -> None:
    ends = {live(seed).state for seed in range(120)}

    assert {"SUCCEEDED", "FAILED", "CANCELLED", "NEEDS_ATTENTION"} <= ends
