"""How far an endpoint was told: the entry of the feed up to which each notification is delivered or dropped. Pure."""

from __future__ import annotations

from headgate.messages.feed_entries import FeedId


class Watermark:
    """A position that moves on only when nothing before it is open.

    Args:
        position: where it begins.
    """

    def __init__(self, position: FeedId) -> None:
        self._read = position
        self._open: dict[str, FeedId] = {}

    @property
    def position(self) -> FeedId:
        """The last entry up to which nothing is open."""
        return next(iter(self._open.values()), self._read)

    def open(self, key: str) -> None:
        """Note a notification of the entry after those that were read."""
        self._open[key] = self._read

    def read(self, entry: FeedId) -> None:
        """Note that an entry was looked at, and its notifications are open."""
        self._read = max(self._read, entry)

    def settle(self, key: str) -> None:
        """Note that a notification was delivered or dropped."""
        self._open.pop(key, None)
