"""How far ahead a call may queue for the shared quota, by the priority of its job. Pure.

Slots are handed out in the order of asking, and what is handed out stays so. What a priority changes is how far ahead
of now a call may take a slot: while jobs of a higher priority have asked within the last minute, the others take only
near ones and ask again, so that the queue which an urgent call finds is short. A call that has waited may reach further
ahead, so that the longest waiting of equals comes first and none waits for ever. Where all jobs have the same priority
nothing of this applies, and the order of asking is the order of going. While several creators ask, the queue is short
anyway, and `headgate.quota.fair_share` says whose call goes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NEAR_MS: Final = 5_000
"""How far ahead a call of priority 0 may take a slot at first; each step of priority adds as much."""

WAIT_SHARE: Final = 4
"""For so many ms that a call has waited, it may reach one ms further ahead."""

URGENT_MS: Final = 60_000
"""For how long after an urgent call has asked the others leave room."""

SHORTEST_MS, LONGEST_MS = 1_000, 10_000
"""Bounds of the time until a call that has to wait asks again."""


@dataclass(frozen=True, slots=True)
class Rank:
    """Where a call stands among others.

    Args:
        priority: its job's, 0 to 9.
        waited_ms: for how long it has asked so far.
        creator: who shares the quota with other creators, see `fair_share`; empty for a call of no job, which is
            outside of the shares.
    """

    priority: int = 0
    waited_ms: int = 0
    creator: str = ""

    @property
    def reach_ms(self) -> int:
        """How far ahead it may take a slot while more urgent ones ask."""
        return NEAR_MS * (1 + self.priority) + max(0, self.waited_ms) // WAIT_SHARE


def again_ms(rank: Rank, ahead_ms: int) -> int:
    """In how many ms to ask again when the next slot lies `ahead_ms` ahead, further than the rank reaches.

    The queue gets shorter by 1 ms in each ms, and the reach longer by 1 / WAIT_SHARE.
    """
    meets_ms = (ahead_ms - rank.reach_ms) * WAIT_SHARE // (WAIT_SHARE + 1)
    return min(LONGEST_MS, max(SHORTEST_MS, meets_ms))
