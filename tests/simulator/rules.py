"""How upstream behaves in one history, where no source settles it: drawn at random, and then the same throughout."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.process.child_release import UNKNOWN, ChildRelease, ReleaseFact
from tests.simulator.chance import Chance

_BLOCKED = (
    "Because of parallelism config, wait for parent workflowInstance[{0}] to finish",
    "由于并行度配置，请等待父实例workflowInstance[{0}]运行结束",
    "wait for WorkflowInstance [ {0} ]",
)


@dataclass(frozen=True, slots=True)
class Rules:
    """How upstream behaves in one history.

    Args:
        auto_start: modes that instances draw from: "success_only", "any_end" or "never".
        starts_unnamed: whether a child is started that no Start ever named.
        release: which end of a parent lets an explicit Start through.
        stop_not_run_fails: whether an instance that is stopped before it ran becomes Failure.
        fail_rate: how many runs fail.
        words: which sentence says that a start must wait.
        adhoc_days: by how many days the date that is shown of an ad hoc instance differs from the one that was sent.
    """

    auto_start: tuple[str, ...]
    starts_unnamed: bool
    auto_start_delay_ms: int
    release: str
    stop_not_run_fails: bool
    fail_rate: float
    run_ms: tuple[int, int]
    create_ms: int
    create_fails: float
    lag_ms: int
    stop_ms: int
    stop_sticks: float
    words: str
    batches: bool
    adhoc_days: int = 0


def remembered(chance: Chance) -> ChildRelease:
    """What is known of how upstream begins children: often nothing, else anything, be it wrong or long ago."""
    if chance.happens(0.5):
        return UNKNOWN
    success, failure = (
        ReleaseFact(chance.happens(0.5), chance.pick((0, 2**42))) if chance.happens(0.8) else None for _ in "sf"
    )
    return ChildRelease(success, failure, chance.pick((0, 1_000, 60_000)))


def draw_rules(chance: Chance) -> Rules:
    """The rules of one history."""
    modes = chance.pick((("success_only",), ("any_end",), ("never",), ("success_only", "any_end", "never")))
    shortest = chance.pick((500, 5_000, 30_000))
    return Rules(
        auto_start=modes,
        starts_unnamed=chance.happens(0.3),
        auto_start_delay_ms=chance.pick((0, 3_000)),
        release=chance.pick(("any_end", "any_end", "success_only")),
        stop_not_run_fails=chance.happens(0.3),
        fail_rate=chance.pick((0.0, 0.0, 0.1, 0.4)),
        run_ms=(shortest, shortest * chance.pick((1, 3))),
        create_ms=chance.pick((0, 800, 5_000, 40_000)),
        create_fails=chance.pick((0.0, 0.0, 0.0, 0.1)),
        lag_ms=chance.pick((0, 0, 3_000, 120_000)),
        stop_ms=chance.pick((0, 1_000, 90_000)),
        stop_sticks=chance.pick((0.0, 0.0, 0.0, 0.2)),
        words=chance.pick(_BLOCKED),
        batches=chance.happens(0.2),
        adhoc_days=chance.pick((0, 0, -1, 1)),
    )
