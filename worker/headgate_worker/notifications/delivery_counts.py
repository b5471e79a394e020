"""What became of notifications, for the metrics of a worker."""

from __future__ import annotations

from collections import Counter
from typing import Final

OUTCOMES: Final = ("delivered", "failed", "dropped")
"""Of a notification that was taken; of one request that was not; of a notification that is given up."""


class DeliveryCounts:
    """Counts since the start of the process.

    Attributes:
        by_outcome: by endpoint and outcome.
        waiting: by endpoint, notifications that wait or are under way here.
        gaps: how often entries of the feed were gone before they were looked at.
        untold: events whose job was gone before they were told, or that can't be read.
        leads: whether this worker leads.
    """

    def __init__(self) -> None:
        self.by_outcome: Counter[tuple[str, str]] = Counter()
        self.waiting: Counter[str] = Counter()
        self.gaps = 0
        self.untold = 0
        self.leads = False
