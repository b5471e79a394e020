"""Experiments in small: the same code with a few jobs, so that the harness can't rot."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from bench.chaos.__main__ import run_one
from bench.chaos.bad_tokens import BadTokens, bad_tokens
from bench.chaos.blocked import Block, blocked_loop
from bench.chaos.callers import Hangups, cancelled_submits
from bench.chaos.connections import LostReplies, lost_commit_replies
from bench.chaos.creators import Sharing, creator_shares
from bench.chaos.deadlines import Deadlines, deadlines
from bench.chaos.experiments import EXPERIMENTS, Experiment
from bench.chaos.floods import Losses, lost_entries
from bench.chaos.greedy import Greedy
from bench.chaos.hostile import Hostile, hostile_input
from bench.chaos.lies import Lying, lying_upstream
from bench.chaos.limited import LimitedCallers, caller_limits
from bench.chaos.results import Report
from bench.chaos.resuming import Resumes, resume_points
from bench.chaos.stage import Plan, Trial
from bench.chaos.strangers import Strangers, strangers
from bench.chaos.worker_faults import FaultLoad, Kills, worker_kills

pytestmark = pytest.mark.slow


def missed(report: Report) -> list[str]:
    return [f"{check.what}: wanted {check.wanted}, seen {check.seen}" for check in report.checks if not check.held]


async def test_lost_replies_of_commits() -> None:
    report = await lost_commit_replies(Trial("quick", 1), LostReplies(FaultLoad(30, 30.0, watchers=10), every=5))

    assert not missed(report)


async def test_a_killed_worker() -> None:
    plan = Plan(workers=2, environment=QUICK_LEASE)
    size = Kills(FaultLoad(20, 10.0, watchers=10), kills=2, every=1.0, call_millis=150, plan=plan)
    report = await worker_kills(Trial("quick", 1), size)

    assert report.figures["kills"] == 2
    assert not missed(report)


async def test_lost_entries() -> None:
    report = await lost_entries(Trial("quick", 1), Losses(FaultLoad(40, 10.0, watchers=10), pause=1.5))

    assert not missed(report)


async def test_submits_that_are_hung_up() -> None:
    report = await cancelled_submits(Trial("quick", 1), Hangups(submits=40, longest=0.003))

    assert report.figures["jobs SUCCEEDED"] == 40
    # Where the hang-ups fall depends on the machine; what comes of them does not.
    assert not [found for found in missed(report) if "hung up before" not in found]


async def test_points_to_resume_from() -> None:
    report = await resume_points(Trial("quick", 1), Resumes(times=2))

    assert not missed(report)


async def test_absurd_deadlines() -> None:
    report = await deadlines(Trial("quick", 1), Deadlines(submits=44, reads=44))

    assert not missed(report)


async def test_lies_of_upstream() -> None:
    report = await lying_upstream(Trial("quick", 1), Lying(FaultLoad(150, 25.0, watchers=10), rounds=1, every=0.04))

    assert report.figures["jobs SUCCEEDED"] == 150
    # How many lies find a call to strike in so short a time depends on the machine; what comes of them does not.
    assert not [found for found in missed(report) if "lies told" not in found]


@pytest.mark.parametrize(("mutual", "wrong"), [(True, []), (False, ["strangers that got in"])])
async def test_strangers_get_in_only_where_nobody_asks_who_they_are(mutual: bool, wrong: list[str]) -> None:
    report = await strangers(Trial("quick", 1), Strangers(before=1.0, seconds=2.0, slower=5.0, mutual=mutual))

    assert [check.what for check in report.checks if not check.held] == wrong


@pytest.mark.parametrize("gated", [True, False])
async def test_a_wrong_token_gets_in_only_where_callers_are_not_told_apart(gated: bool) -> None:
    size = BadTokens(before=1.0, seconds=2.0, flood=300.0, floor=5.0, lines=1_000, gated=gated)
    report = await bad_tokens(Trial("quick", 1), size)

    let_in = {"answers that were not the right ones", "calls of the flood that were let in"}
    assert {check.what for check in report.checks if not check.held} == (set() if gated else let_in)


async def test_a_greedy_caller_is_held_to_its_limits() -> None:
    flood = Greedy(seconds=2.0, megabytes={"submits": 200.0}, least={"submits": 100}, recovery=20.0)
    report = await caller_limits(Trial("quick", 1), LimitedCallers(per_second=20, flood=flood))

    assert not missed(report)


async def test_a_blocked_loop_whose_leases_do_not_end_is_a_miss() -> None:
    size = Block(FaultLoad(30, 10.0, watchers=5), lease=60.0, blocked=3.0, times=1)
    report = await blocked_loop(Trial("quick", 1), size)

    assert {"late ticks that were shut out"} <= {check.what for check in report.checks if not check.held}


@pytest.mark.parametrize("told_apart", [True, False])
async def test_creators_share_a_quota_unless_they_are_not_told_apart(told_apart: bool) -> None:
    jobs = {"large": 60, "middle": 24, "small": 16}
    size = Sharing(jobs, told_apart, 2, 20, start=1.0, run_seconds=9.0, settle=3.0, steady=6.0, every=3.0, ends=40.0)
    report = await creator_shares(Trial("quick", 1), size)

    assert report.figures["jobs SUCCEEDED"] == 100
    # How far the shares are from each other on a busy machine is the experiment's to tell; here that they are at all.
    of_large, of_small = (float(report.figures[f"calls of {name}"]) for name in ("large", "small"))
    assert (of_small > of_large * 0.6) is told_apart


QUICK_LEASE = {"HEADGATE_LEASE_SECONDS": "1", "HEADGATE_REAPER_SECONDS": "0.2"}


async def test_hostile_input() -> None:
    report = await hostile_input(Trial("quick", 1), Hostile(fuzzed=200))

    assert not missed(report)


async def breaks(trial: Trial) -> Report:
    raise ValueError("of all things")


async def hangs(trial: Trial) -> Report:
    await asyncio.sleep(60)
    raise AssertionError


@pytest.mark.parametrize(("run", "told"), [(breaks, "of all things"), (hangs, "TimeoutError")])
def test_an_experiment_that_breaks_or_hangs_has_not_held(run: Callable[[Trial], Awaitable[Report]], told: str) -> None:
    row = run_one(Experiment("broken", "none", run, longest=0.2), 1)

    assert not row.report.held
    assert told in str(row.report.checks[0].seen)


def test_every_experiment_is_listed() -> None:
    listed = subprocess.run([sys.executable, "-m", "bench.chaos", "--list"], capture_output=True, text=True, check=True)

    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(EXPERIMENTS)


def test_every_experiment_has_its_row_in_the_document() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text()
    table = page.split("| experiment | load | held | figures |", 1)[1].split("\n\n", 1)[0]

    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == list(EXPERIMENTS)


@pytest.mark.parametrize("arguments", [["--only", "nothing-of-the-kind"]])
def test_an_unknown_name_is_refused(arguments: list[str]) -> None:
    asked = subprocess.run([sys.executable, "-m", "bench.chaos", *arguments], capture_output=True, text=True)

    assert asked.returncode == 2
    assert "nothing-of-the-kind" in asked.stderr
