"""Whose denials are held back and for how long, by a clock moved by hand; and which calls are, on a real server."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import grpc
import pytest

from headgate import pb
from headgate_server.auth.held_denials import LONGEST_SECONDS, PROMPT_PER_SECOND, HeldDenials
from tests.server.callers import bearer, entry, known, write
from tests.server.world import backfill, reason_of, serving

PROMPT = int(PROMPT_PER_SECOND)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_the_first_denials_of_a_second_are_answered_at_once_and_then_each_later() -> None:
    held = HeldDenials(now=Hand())

    found = [held.seconds("noisy") for _ in range(PROMPT + 3)]

    assert found[:PROMPT] == [0.0] * PROMPT
    assert found[PROMPT:] == pytest.approx([n / PROMPT_PER_SECOND for n in (1, 2, 3)])
    assert held.seconds("another") == 0.0


def test_none_is_held_for_longer_than_a_second_and_a_pause_makes_up_for_all() -> None:
    hand = Hand()
    jitters = itertools.cycle((0.0, 0.5, 1.0))
    held = HeldDenials(now=hand, jitter=lambda: next(jitters))

    found = [held.seconds("noisy") for _ in range(10 * PROMPT)]
    hand.seconds += LONGEST_SECONDS + 1.0

    assert {round(seconds, 3) for seconds in found[-3:]} == {0.5, 0.75, 1.0}, "many that are held do not end together"
    assert max(found) <= LONGEST_SECONDS
    assert [held.seconds("noisy") for _ in range(PROMPT)] == [0.0] * PROMPT


def test_who_is_not_denied_any_more_is_forgotten() -> None:
    hand = Hand()
    held = HeldDenials(now=hand)
    for number in range(100):
        held.seconds(f"ipv4:127.0.0.1:{number}")
        hand.seconds += 0.5

    assert len(held) < 10


async def test_a_process_holds_so_many_back_and_no_call_beyond_half_of_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, slept = HeldDenials(most=1, now=Hand()), list[float]()
    go = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await go.wait()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(PROMPT):
        held.seconds("noisy")
    holding = asyncio.create_task(held.hold(held.seconds("noisy"), remaining=0.02))
    await asyncio.wait([holding], timeout=0)
    while not slept:
        await asyncio.wait([holding], timeout=0.01)
    beyond = held.seconds("noisy")
    go.set()
    await holding

    assert (slept, beyond) == ([0.01], 0.0)
    assert held.seconds("noisy") > 0


async def test_every_kind_of_denial_is_held_back(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a connection for one that is not known, else by the caller, whatever the connection."""
    subjects: list[str] = []

    def seconds(_: HeldDenials, subject: str) -> float:
        subjects.append("connection" if subject.startswith("ipv4:") else subject)
        return 0.0

    monkeypatch.setattr(HeldDenials, "seconds", seconds)
    text = entry("often", calls_per_second=0.001) + entry("reader", rights=["read"]) + entry("greedy", max_jobs=1)
    async with serving(redis_url, callers=write(tmp_path / "callers.toml", text)) as world:
        nothing: Any = world.channel.unary_unary("/headgate.v1.JobService/NoMethod")
        await world.jobs.CountJobs(pb.CountJobsRequest(), metadata=known("often"))
        await world.backfills.CreateBackfill(backfill(), metadata=known("greedy"))
        calls: list[Any] = [
            world.jobs.CountJobs(pb.CountJobsRequest(), metadata=bearer("nonsense")),
            nothing(b""),
            world.jobs.CountJobs(pb.CountJobsRequest(), metadata=known("often")),
            world.jobs.CancelJob(pb.CancelJobRequest(name="jobs/none"), metadata=known("reader")),
            world.backfills.CreateBackfill(backfill(), metadata=known("greedy")),
        ]
        reasons = []
        for call in calls:
            with pytest.raises(grpc.RpcError) as caught:
                await call
            reasons.append(reason_of(caught.value))
        watching = world.jobs.WatchJob(pb.WatchJobRequest(name="jobs/none"), metadata=known("often"))
        with pytest.raises(grpc.RpcError):
            await watching.read()

    assert reasons == ["TOKEN_INVALID", "METHOD_UNKNOWN", "CALLER_LIMIT", "RIGHT_MISSING", "CALLER_LIMIT"]
    assert subjects == ["connection", "connection", "often", "reader", "greedy", "often"]
