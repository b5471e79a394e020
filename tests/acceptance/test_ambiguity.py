"""N6: whatever is lost, late or killed about a create, there is one set of instances, or a person is asked; never two.

In virtual time: each way a call can go wrong, times how long upstream's listing lags, times a death at each point of a
tick, under both settings of HEADGATE_AMBIGUOUS_CREATE. On real parts: `test_ambiguity_on_real_parts`.
"""

from __future__ import annotations

from itertools import product

import pytest

from headgate import pb
from headgate_worker.core.model.calls import CreateInstances
from headgate_worker.core.model.view import Policy
from headgate_worker.ticks.tick import POINTS
from tests.acceptance.virtual import Fixed, World, backfill, rules
from tests.simulator.chance import Fate

pytestmark = pytest.mark.slow

SETTLE_MS = Policy().settle_ms
FATES = (Fate.FINE, Fate.LOST_REQUEST, Fate.LOST_REPLY, Fate.APPLIED_LATE, Fate.BROKEN, Fate.MALFORMED)
LAGS_MS = (0, 30_000, 120_000)
DEATHS = ((), *(((point, n),) for point, n in product(POINTS, range(1, 6))))
TWO_DEATHS = tuple((first, ("intended", 2)) for first in product(POINTS, range(1, 4)))


def lived(
    fate: Fate, lag_ms: int, deaths: tuple[tuple[str, int], ...], *, resend: bool, late_ms: int = 20_000, seed: int = 0
) -> World:
    chance = Fixed(seed, {(CreateInstances, 1): fate}, set(deaths))
    chance.late_ms = late_ms
    policy = Policy(resend_absent=resend)
    world = World(backfill(2), rules=rules(run_ms=(5_000, 5_000), lag_ms=lag_ms), policy=policy, chance=chance)
    world.run()
    world.pass_ms(2 * SETTLE_MS)  # what is still under way arrives, and would show
    return world


def creates(world: World) -> int:
    return sum(isinstance(call, CreateInstances) for _, call in world.ledger.calls)


@pytest.mark.parametrize("resend", [False, True], ids=["attention", "resend"])
@pytest.mark.parametrize("lag_ms", LAGS_MS)
@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.value)
def test_one_set_of_instances_or_a_person_is_asked(fate: Fate, lag_ms: int, *, resend: bool) -> None:
    for deaths in (*DEATHS, *TWO_DEATHS):
        world = lived(fate, lag_ms, deaths, resend=resend)

        state = world.job.state
        assert world.sets() <= 1, (deaths, "created twice")
        assert state in (pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_NEEDS_ATTENTION), deaths
        if state == pb.JOB_STATE_SUCCEEDED:
            assert world.sets() == 1, deaths
        if resend:
            assert state == pb.JOB_STATE_SUCCEEDED, deaths
        else:
            assert creates(world) <= 1, (deaths, "sent twice")


@pytest.mark.parametrize("late_ms", [SETTLE_MS - 30_000, SETTLE_MS + 30_000, 400_000])
def test_without_the_policy_even_what_is_applied_after_the_search_settled_is_never_doubled(late_ms: int) -> None:
    world = lived(Fate.APPLIED_LATE, 0, (), resend=False, late_ms=late_ms)

    assert world.sets() == 1
    assert creates(world) == 1


def test_with_the_policy_what_is_applied_after_the_search_settled_is_doubled() -> None:
    """The price that the setting's documentation names: it holds only while nothing takes effect so late."""
    assert lived(Fate.APPLIED_LATE, 0, (), resend=True, late_ms=SETTLE_MS + 60_000).sets() == 2


@pytest.mark.parametrize("seed", range(20))
def test_broken_replies_of_either_kind_are_decided(seed: int) -> None:
    """A 5xx may hide a create that was executed, or none: drawn by the seed."""
    assert lived(Fate.BROKEN, 30_000, (), resend=True, seed=seed).sets() == 1


def test_a_create_that_never_gets_through_asks_a_person_in_the_end() -> None:
    chance = Fixed(0, {(CreateInstances, n): Fate.LOST_REQUEST for n in range(1, 10)})
    world = World(backfill(2), policy=Policy(resend_absent=True), chance=chance).run()

    assert world.job.state == pb.JOB_STATE_NEEDS_ATTENTION
    assert creates(world) == 3
    assert world.job.operations[0].attempts == 3


def test_a_cancelled_job_sends_nothing_again() -> None:
    world = World(
        backfill(2), policy=Policy(resend_absent=True), chance=Fixed(0, {(CreateInstances, 1): Fate.LOST_REQUEST})
    )
    world.run(lambda of: creates(of) == 1)
    world.cancel()
    world.run()
    world.pass_ms(2 * SETTLE_MS)

    assert creates(world) == 1
