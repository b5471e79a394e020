"""The script's part about dates, held to a model by random histories on a real Redis."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from headgate import pb
from headgate.backfill import dates
from headgate.store import keys, queue_entries
from headgate.store.commit import Commit, Committed, Wake
from headgate.store.date_claims import (
    LINE_SCRIPT,
    Joined,
    Overlapping,
    hold_of,
    line_arguments,
    parse_taken,
)
from headgate_worker.core.model.steps import apply, timestamp
from headgate_worker.store.jobs import Store
from tests.worker.core.building import day
from tests.worker.submitting import hold_of_submitted, new_job

JOIN, QUEUE, REJECT = pb.OVERLAP_JOIN, pb.OVERLAP_QUEUE_AFTER, pb.OVERLAP_REJECT


@dataclass
class Player:
    """A backfill that the model knows; `place` is its number in line, 0 for one that holds its dates."""

    job: pb.Job
    days: frozenset[int]
    place: int


def _backfill(policy: pb.Overlap.ValueType, days: frozenset[int]) -> pb.Job:
    spec = pb.BackfillSpec(project_id=1, name="n", overlap=policy)
    spec.default_run_properties.root_task_ids.append(7)
    runs = [
        pb.InstanceRun(index=i, biz_date=dates.to_message(day(n)), state=pb.RUN_STATE_PLANNED, attempt=1)
        for i, n in enumerate(sorted(days))
    ]
    return new_job(backfill=spec, runs=runs)


def _conflicts(players: list[Player], days: frozenset[int], place: int) -> dict[int, Player]:
    """Who has which of the days, for one at a place in line; a place of 0 is behind all."""
    found: dict[int, Player] = {}
    for player in sorted(players, key=lambda one: one.place):
        if not player.place or not place or player.place < place:
            found.update({n: player for n in player.days & days if n not in found})
    return found


class Table:
    """The real store and the model, side by side."""

    def __init__(self, store: Store, redis: Redis) -> None:
        self.store, self.redis = store, redis
        self.players: list[Player] = []
        self.accepted = 0

    async def submit(self, policy: pb.Overlap.ValueType, days: frozenset[int]) -> None:
        job = _backfill(policy, days)
        event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=job.state, job=job, event_time=timestamp(1))
        wake = Wake(queue_entries.tick(keys.job_id(job.name), nonce=secrets.token_hex(6), now_ms=1))
        raw = (event.SerializeToString(deterministic=True),)
        job.revision = 1
        answer = await self.store.commit(
            Commit(pb.JOB_STATE_UNSPECIFIED, job, 0, raw, wake=wake, hold=hold_of_submitted(job))
        )
        taken = {} if policy == QUEUE else _conflicts(self.players, days, 0)
        self._check(answer, taken, days, joins=policy == JOIN)
        if isinstance(answer, Committed):
            self.accepted += 1
            self.players.append(Player(job, days, self.accepted if policy == QUEUE else 0))

    def _check(self, answer: object, taken: dict[int, Player], days: frozenset[int], *, joins: bool) -> None:
        if not taken:
            assert isinstance(answer, Committed), answer
            return
        all_of = [player for player in self.players if days <= player.days]
        if joins and all_of:
            assert isinstance(answer, Joined)
            assert answer.job_id in {keys.job_id(player.job.name) for player in all_of}
            return
        assert isinstance(answer, Overlapping), answer
        assert answer.taken == self._named(taken)

    @staticmethod
    def _named(taken: dict[int, Player]) -> dict[str, str]:
        return {day(n).strftime("%Y%m%d"): keys.job_id(player.job.name) for n, player in taken.items()}

    async def begin(self, player: Player) -> None:
        if not player.place:
            return
        taken = _conflicts([one for one in self.players if one is not player], player.days, player.place)
        hold = hold_of(player.job)
        assert hold is not None
        arguments = line_arguments(keys.job_id(player.job.name), hold)
        told = parse_taken(await self.redis.eval(LINE_SCRIPT, 6, *hold.keys(), *arguments))  # type: ignore[misc]
        assert told == self._named(taken)
        answer = await self._move(player, pb.JOB_STATE_RUNNING)
        self._check(answer, taken, player.days, joins=False)
        if isinstance(answer, Committed):
            player.place = 0

    async def end(self, player: Player) -> None:
        state = pb.JOB_STATE_CANCELLING if player.place else pb.JOB_STATE_SUCCEEDED
        if player.place:
            player.job = (await self._moved(player, state))[0]
            state = pb.JOB_STATE_CANCELLED
        elif player.job.state == pb.JOB_STATE_QUEUED:
            player.job = (await self._moved(player, pb.JOB_STATE_RUNNING))[0]
        assert isinstance(await self._move(player, state), Committed)
        self.players.remove(player)

    async def _move(self, player: Player, state: pb.JobState.ValueType) -> object:
        after, answer = await self._moved(player, state, hold=True)
        if isinstance(answer, Committed):
            player.job = after
        return answer

    async def _moved(
        self, player: Player, state: pb.JobState.ValueType, *, hold: bool = False
    ) -> tuple[pb.Job, object]:
        draft = pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state)
        after, events = apply(player.job, (draft,), now_ms=1)
        change = Commit(
            before=player.job.state,
            job=after,
            expected_revision=player.job.revision,
            events=tuple(event.SerializeToString(deterministic=True) for event in events),
            hold=hold_of(after) if hold else None,
        )
        return after, await self.store.commit(change)

    async def check_holders(self) -> None:
        hold = hold_of(_backfill(REJECT, frozenset({0})))
        assert hold is not None
        held = await self.redis.hgetall(hold.keys()[0])  # type: ignore[misc]
        wanted = {n: player for player in self.players if not player.place for n in player.days}
        assert {key.decode(): value.decode() for key, value in held.items()} == self._named(wanted)
        assert await self.redis.zcard(hold.keys()[1]) == sum(bool(player.place) for player in self.players)


@pytest.mark.parametrize("seed", range(12))
async def test_no_date_has_two_holders_and_the_line_keeps_its_order(seed: int, store: Store, redis: Redis) -> None:
    jitter, table = random.Random(seed), Table(store, redis)
    for _ in range(80):
        days = frozenset(range(first := jitter.randrange(8), first + jitter.choice((1, 2, 4))))
        if jitter.random() < 0.4 or not table.players:
            await table.submit(jitter.choice((JOIN, QUEUE, QUEUE, REJECT)), days)
        elif jitter.random() < 0.6:
            await table.begin(jitter.choice(table.players))
        else:
            await table.end(jitter.choice(table.players))
        await table.check_holders()
    while table.players:  # whoever is first in line can always begin once those who hold have ended: no deadlock
        for player in [one for one in table.players if not one.place]:
            await table.end(player)
        line = sorted(table.players, key=lambda one: one.place)
        for player in line[:1]:
            await table.begin(player)
            assert not player.place
    await table.check_holders()
