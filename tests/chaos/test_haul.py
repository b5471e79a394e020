"""The long run with faults: that its judge finds what it is there to find, and that the run is wired to it."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from bench.chaos.results import Check
from bench.chaos.stage import Trial
from bench.soak.faults import FAULTS, order
from bench.soak.haul import Haul, haul
from bench.soak.standing import DATES, backfills
from bench.soak.tally import SoakTally, returned

from headgate import pb
from tests.chaos.test_verdicts import DONE, record_of, row, stored

pytestmark = pytest.mark.slow

CREATE = "CreateWorkflowInstances"


def missed(checks: list[Check]) -> set[str]:
    return {check.what for check in checks if not check.held}


def sound() -> SoakTally:
    tally = SoakTally()
    for job_id in ("a", "b"):
        job = stored(*DONE, job_id=job_id)
        tally.judge(job, record_of(job))
        tally.judge_calls([row(CREATE, job_id)])
    return tally


def test_a_sound_run_is_sound() -> None:
    assert not missed(sound().checks(["a", "b"]))


def test_a_job_that_nobody_saw_end_is_lost() -> None:
    assert missed(sound().checks(["a", "b", "c"])) == {"acknowledged jobs lost"}


def test_a_doubled_create_is_counted_over_all_looks() -> None:
    tally = sound()
    tally.judge_calls([row(CREATE, "a")])

    assert missed(tally.checks(["a", "b"])) == {
        "upstream creates or executes done twice",
        "succeeded jobs without their create",
    }


def test_calls_that_were_forgotten_unseen_are_told() -> None:
    tally = sound()
    tally.judge_calls([], unseen=3)

    assert missed(tally.checks(["a", "b"])) == {"calls of upstream that were not looked at"}


def test_one_bad_job_is_not_hidden_by_later_sound_ones() -> None:
    tally, job = SoakTally(), stored(*DONE, job_id="bad")
    gap = record_of(job)
    del gap.revisions[1], gap.payloads[1]
    tally.judge(job, gap)
    tally.judge_calls([row(CREATE, "bad")])
    later = stored(*DONE, job_id="good")
    tally.judge(later, record_of(later))
    tally.judge_calls([row(CREATE, "good")])

    assert "watchers with a gap or a repeat" in missed(tally.checks(["bad", "good"]))


def test_many_that_ask_a_person_are_too_many() -> None:
    tally = SoakTally()
    tally.judge(stored(pb.JOB_STATE_RUNNING, pb.JOB_STATE_NEEDS_ATTENTION), None)

    assert missed(tally.checks(["a"])) == {"share of jobs that ask a person"}


@pytest.mark.parametrize(("after", "held"), [(1.0, True), (4.9, True), (5.1, False)])
def test_a_store_that_stays_large_is_a_miss(after: float, held: bool) -> None:
    assert returned(2.0, after).held is held


def test_every_fault_comes_before_one_comes_again_and_the_seed_says_in_which_order() -> None:
    first = order(random.Random(7))

    assert sorted(first) == sorted(FAULTS)
    assert order(random.Random(7)) == first
    assert order(random.Random(8)) != first


@pytest.mark.parametrize(("waiting", "count"), [(DATES - 1, 1), (DATES, 2), (20_000, 41)])
def test_as_many_backfills_as_it_takes(waiting: int, count: int) -> None:
    assert backfills(waiting) == count


@pytest.mark.timeout(180)
async def test_a_long_run_of_seconds() -> None:
    report = await haul(
        Trial("quick", 1), Haul(minutes=0.3, per_second=3.0, standing=500, every=8.0, sample=0.5, hurry=True)
    )

    # Jobs are kept for longer than this lasts, so what is there of them only grows; all else has to hold.
    assert not {check.what for check in report.checks if not check.held and "second half" not in check.wanted}
    assert report.figures["jobs"] == 54


@pytest.mark.parametrize("arguments", [["--faults", "--minutes", "2"], ["--standing", "70000"], ["--standing", "few"]])
def test_sizes_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    asked = subprocess.run([sys.executable, "-m", "bench.soak", *arguments], capture_output=True, text=True)

    assert asked.returncode == 2
    assert arguments[-2] in asked.stderr
