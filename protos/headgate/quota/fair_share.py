"""How creators share the quota of one connection: the part of `quota.lua` that keeps one from crowding out the others.

While a single creator asks, nothing of this applies, and slots are booked as far ahead as its calls would wait. From
the moment another one asks, and for as long as it does, the queue of slots is kept short, so that its order hardly
matters, and each creator's slots are counted. A creator whose calls have to come later is hungry. No creator may be
more than a few slots ahead of the hungry one that has had the fewest, but when the queue is about to run dry every
creator may book: slots that one does not use go to the others. Unused slots are not saved up.

Within a creator the call goes first that has waited longest, where each step of its job's priority counts as a minute
of waiting: calls that have waited less than those that were let in lately find half of the room. A call that is to
come later gets a time. The calls of one creator are spread over time for that, those whose turn it is apart from the
others, so that all of either kind ask at most twice as often as slots are handed out, and none more than once a second.
"""

from __future__ import annotations

from typing import Final

LEAD_MS: Final = 1_000
"""How far ahead slots are booked while several creators ask."""

RECENT_MS: Final = 5_000
"""For how long after its last call has asked a creator counts among those that ask."""

STEP_MS: Final = 60_000
"""How many ms of waiting a step of priority stands for, among the calls of one creator."""

APART_MS: Final = 600_000
"""For how long after there were several creators a single one's slots are still booked as near as among several: what
it had booked further ahead would be handed out anew when the next one comes."""

AGAIN_MS: Final = 1_000
"""The least time until a call asks again."""

LATEST_MS: Final = 60_000
"""The longest one. Where the other creators have gone, all calls are back within it."""

FAR: Final = 30
"""A queue that is longer than so many times the lead was booked by workers of an older version, or by very many
cancels. It is handed out anew, like that of one who was alone."""

MOST_CREATORS: Final = 100
"""Among so many the shares are equal; of more, those that asked longest ago are not looked at."""

REMEMBER_MS: Final = 1_000
"""Greatest age of the note of when a lone creator asked last."""

CONSTANTS: Final = {
    "LEAD_US": LEAD_MS * 1_000,
    "RECENT_US": RECENT_MS * 1_000,
    "APART_US": APART_MS * 1_000,
    "REMEMBER_US": REMEMBER_MS * 1_000,
    "AGAIN_US": AGAIN_MS * 1_000,
    "LATEST_US": LATEST_MS * 1_000,
    "STEP_MS": STEP_MS,
    "FAR": FAR,
    "MOST_CREATORS": MOST_CREATORS,
}
"""What `quota.lua` must be given of these."""
