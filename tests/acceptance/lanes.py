"""Random backfills in virtual time, each held against the ideal schedule and the fewest calls of the same run times."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from bench.schedule import Calls, Work, ideal_ms, least_calls, polled

from headgate import pb
from headgate.process.child_release import UNKNOWN, ChildRelease, ReleaseFact
from headgate_worker.core.model.calls import (
    Call,
    CreateInstances,
    GetCreateResult,
    GetInstance,
    StartInstances,
)
from headgate_worker.core.model.view import Policy
from tests.acceptance.virtual import BEGIN_MS, World, backfill, days, rules

DEFAULT_AHEAD = 60
BEHAVIOURS = ("success_only", "any_end", "never")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One random backfill, by its seed.

    Args:
        behaviour: which end of a date makes upstream begin the next one of its chain.
        took: by date, in ms.
        fails: dates whose run fails at its end.
    """

    seed: int
    behaviour: str
    lanes: int
    ahead: int
    took: tuple[int, ...]
    fails: frozenset[date]
    on_failure: pb.OnFailure.ValueType


def scenario(seed: int) -> Scenario:
    """The scenario of a seed; every second one has failed dates."""
    rng = random.Random(seed)
    lanes = rng.choice((1, 2, 3, 5, 8, 10, 20))
    ahead = rng.choice((0, 0, 2 * lanes, 3 * lanes, 100))
    count = rng.randint(max(12, 4 * lanes), max(60, 12 * lanes))
    middle, spread = 60_000 * 20 ** rng.random(), rng.choice((0.0, 0.1, 0.3))
    took = tuple(int(middle * rng.uniform(1 - spread, 1 + spread)) for _ in range(count))
    some = rng.sample(range(count), rng.randint(1, 3)) if seed % 2 else []
    fails = frozenset(days(count)[n] for n in some)
    on_failure = pb.ON_FAILURE_CONTINUE if some else rng.choice((pb.ON_FAILURE_HALT, pb.ON_FAILURE_CONTINUE))
    return Scenario(seed, BEHAVIOURS[seed // 2 % 3], lanes, ahead, took, fails, on_failure)


def remembered(behaviour: str) -> ChildRelease:
    """What is known of such a cloud after a backfill with a failure."""
    success, failure = behaviour != "never", behaviour == "any_end"
    return ChildRelease(ReleaseFact(success, BEGIN_MS), ReleaseFact(failure, BEGIN_MS), 1_000)


@dataclass(frozen=True, slots=True)
class Lived:
    """How a scenario went, times in ms."""

    world: World
    span_ms: int
    whole_ms: int
    ideal_ms: int
    side_by_side: int
    calls: Calls
    other_calls: int
    least: Calls

    @property
    def span(self) -> float:
        """From the first begin to the last end upstream, against the ideal."""
        return self.span_ms / self.ideal_ms

    @property
    def whole(self) -> float:
        """From the submit to the job's end, against the ideal."""
        return self.whole_ms / self.ideal_ms

    @property
    def spent(self) -> float:
        """Calls against the fewest."""
        return (self.calls.total + self.other_calls) / self.least.total


def live(of: Scenario, policy: Policy | None = None, *, known: ChildRelease = UNKNOWN) -> Lived:
    """Run a scenario to its end; `known` is what is remembered of upstream at its begin."""
    count = len(of.took)
    spec = backfill(count, parallelism=of.lanes, on_failure=of.on_failure, max_created_ahead=of.ahead)
    world = World(spec, rules=rules(auto_start=(of.behaviour,)), policy=policy)
    world.store.known = known
    took = dict(zip(days(count), of.took, strict=True))
    world.cloud.durations, world.cloud.fails = lambda day: took[day] if day else 0, of.fails
    world.run()
    made = world.cloud.instances.values()
    ideal = ideal_ms(of.took, of.lanes)
    first, last = min(one.started_ms for one in made), max(one.finished_ms for one in made)
    calls, others = _counted([call for _, call in world.ledger.calls])
    held = sum(one.parents != () and _is_held(world, one.parents, of.behaviour) for one in made)
    work = Work(of.took, of.lanes, of.ahead or DEFAULT_AHEAD, polled(of.took, policy or Policy()), held)
    return Lived(
        world,
        last - first,
        world.timeline.now_ms - BEGIN_MS,
        ideal,
        most_side_by_side(world),
        calls,
        others,
        least_calls(work),
    )


def most_side_by_side(world: World) -> int:
    """The most instances that ran at one time."""
    made = world.cloud.instances.values()
    steps = sorted([(one.finished_ms, -1) for one in made] + [(one.started_ms, 1) for one in made])
    return max(accumulate(step for _, step in steps))


def _is_held(world: World, parents: tuple[int, ...], behaviour: str) -> bool:
    """Whether upstream does not begin a child of these by itself."""
    if behaviour == "never":
        return True
    failed = any(world.cloud.instances[one].day in world.cloud.fails for one in parents)
    return behaviour == "success_only" and failed


def _counted(calls: list[Call]) -> tuple[Calls, int]:
    kinds = [type(call) for call in calls]
    reads = kinds.count(GetInstance)
    counted = Calls(kinds.count(CreateInstances), kinds.count(GetCreateResult), kinds.count(StartInstances), reads)
    return counted, len(calls) - counted.total


def told(of: Scenario, lived: Lived) -> str:
    """A line for people."""
    some, least, state = lived.calls, lived.least, pb.JobState.Name(lived.world.job.state)
    return (
        f"{of.seed:3} {of.behaviour:12} lanes {of.lanes:2} ahead {of.ahead:3} dates {len(of.took):3} "
        f"of {min(of.took) / 1000:4.0f}-{max(of.took) / 1000:4.0f} s, {len(of.fails)} fail: "
        f"span {lived.span:.3f} whole {lived.whole:.3f} calls {lived.spent:.2f} "
        f"(creates {some.creates}/{least.creates} confirms {some.confirms}/{least.confirms} "
        f"starts {some.starts}/{least.starts} reads {some.reads}/{least.reads}) "
        f"side by side {lived.side_by_side} {state}"
    )


if __name__ == "__main__":
    for seed in [int(word) for word in sys.argv[1:]] or range(30):
        of = scenario(seed)
        sys.stdout.write(told(of, live(of, known=remembered(of.behaviour))) + "\n")
        sys.stdout.flush()
