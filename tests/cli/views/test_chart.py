"""A job's log read as a chart: lanes, marks, and when it will be over."""

import random

import pytest

from headgate import pb
from headgate.job.event_log import BrokenLog
from headgate_cli.views.chart import Chart, eta, packed, read
from tests.cli.views.test_gantt import bar, recorded


def test_a_log_with_a_hole_is_not_drawn() -> None:
    events = recorded()
    with pytest.raises(BrokenLog):
        read([*events[:3], *events[4:]])


def test_runs_side_by_side_take_as_many_lanes_as_there_were_at_a_time() -> None:
    lanes = packed([bar(2, 10, 20), bar(0, 0, 10), bar(1, 5, 12), bar(3, 12, None), bar(4, 30, 40)])

    assert [[one.run.index for one in lane] for lane in lanes] == [[0, 2, 4], [1, 3]]


def foretold(seed: int, *, runs: int, places: int, ended: int) -> tuple[float, float]:
    """When a simulated backfill will be over, as told when so many have ended; and when it was."""
    rng = random.Random(seed)
    free, bars = [0.0] * places, []
    for _ in range(runs):
        place = free.index(min(free))
        start, free[place] = free[place], free[place] + 60 * rng.uniform(0.8, 1.2)
        bars.append((start, free[place]))
    now = sorted(end for _, end in bars)[ended - 1]
    seen = [bar(n, start, end if end <= now else None) for n, (start, end) in enumerate(bars) if start <= now]
    states = [pb.RUN_STATE_PLANNED if start > now else pb.RUN_STATE_RUNNING for start, _ in bars]
    job = pb.Job(state=pb.JOB_STATE_RUNNING, runs=[pb.InstanceRun(state=state) for state in states])
    job.backfill.default_run_properties.parallelism = places
    told = eta(Chart(job, packed(seen), begin=0, last=now), now)
    assert told is not None
    return told - now, max(free) - now


@pytest.mark.parametrize("places", [1, 2, 5])
@pytest.mark.parametrize("ended", [3, 15, 25])
def test_the_end_is_foretold_within_a_fifth_and_a_half_run(places: int, ended: int) -> None:
    for seed in range(50):
        told, was = foretold(seed, runs=30, places=places, ended=ended)
        assert abs(told - was) <= 0.2 * was + 30, f"seed {seed}: {told:.0f} s were told, {was:.0f} s it took"


@pytest.mark.parametrize("state", [pb.JOB_STATE_PAUSED, pb.JOB_STATE_CANCELLING, pb.JOB_STATE_NEEDS_ATTENTION])
def test_nothing_is_foretold_of_what_does_not_move(state: pb.JobState.ValueType) -> None:
    assert eta(Chart(pb.Job(state=state), packed([bar(0, 0, 9)])), 10) is None
    assert eta(Chart(pb.Job(state=pb.JOB_STATE_RUNNING), packed([bar(0, 0, None)])), 10) is None
