"""How callers and connections share the slots of the read lane: one with few running entries goes before one with many.

A caller may begin another entry while it has fewer running than slots are free, and a connection while it has fewer
than four times as many. So one caller fills half of the slots, two fill two thirds, and some are always free for the
next one; all callers of a connection fill four fifths. Without named callers, all of a connection count as
one caller. Pure but for the script.

The caller stands in the id of an entry (`queue_entries.asker_of`), so that claiming reads no definition. Entries of
servers that do not name it count as those of one more caller.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from headgate.process import caller_rules
from headgate.scripts import loader
from headgate.store import queue_entries
from headgate_worker.queue.claim_scripts import CLAIM_CONSTANTS, PACKAGE, ClaimEntriesKeys

CHUNK: Final = 32
"""Entries that a claim looks at at a time; where one is held back, it goes no further."""

FAR: Final = 5_000
"""Entries that a claim looks at which goes further."""

FAR_SECONDS: Final = 0.05
"""Shortest time between two claims that go further, while entries are held back."""


class ClaimSharedArguments(NamedTuple):
    """ARGV of `claim_shared_entries.lua`; then come pairs of a subject and its running entries, and ids left to others.

    Args:
        free_slots: entries at most.
        lease_ms: life of a claim.
        owner: of the claims.
        most_held: how many entries may be held back and looked past.
        pair_count: how many pairs follow.
    """

    free_slots: int
    lease_ms: int
    owner: str
    most_held: int
    pair_count: int


CLAIM: Final = loader.load(
    "claim_shared_entries",
    ClaimEntriesKeys,
    ClaimSharedArguments,
    constants={**CLAIM_CONSTANTS, "CHUNK": CHUNK},
    package=PACKAGE,
)
"""Claims due entries as `claim_scripts.CLAIM` does, but holds back those of a caller that has its share of the slots.

It answers also whether some are held back.
"""


def subjects_of(entry_id: str) -> tuple[str, str]:
    """The caller and the connection of an entry, as they are counted."""
    caller, connection = queue_entries.asker_of(entry_id)
    who = f"caller:{caller}@{connection}" if caller == caller_rules.ANONYMOUS else f"caller:{caller}"
    return who, f"connection:{connection}"


class LaneShares:
    """What callers and connections have running in this process."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()

    def begin(self, entry_id: str) -> None:
        """Count an entry in."""
        for subject in subjects_of(entry_id):
            self._running[subject] += 1

    def end(self, entry_id: str) -> None:
        """Count an entry out."""
        for subject in subjects_of(entry_id):
            self._running[subject] -= 1
            if self._running[subject] <= 0:
                del self._running[subject]

    def arguments(self) -> list[str | int]:
        """The pairs of the script, with their number before them."""
        return [len(self._running), *(word for pair in self._running.items() for word in pair)]
