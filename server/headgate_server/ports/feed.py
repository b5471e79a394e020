"""Where a reader of the feed stands, as a token. Pure."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import Final

from headgate.job import event_log
from headgate.messages.feed_entries import FeedEntry, FeedId
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.status import bad_request

_TOKEN: Final = struct.Struct(">BQQ8s")
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """Where a reader stands: the last entry it has read, and a digest of it, so that a feed that was lost is noticed.

    Args:
        id: the entry's id; zero before the first one.
        digest: 16 hex digits; zeros before the first one.
    """

    id: FeedId = (0, 0)
    digest: str = "0" * 16

    def follows(self, entry: FeedEntry) -> bool:
        """Whether the entry is the one that was read last."""
        return self == position_of(entry)


START: Final = FeedPosition()
"""Before the first entry."""


def position_of(entry: FeedEntry) -> FeedPosition:
    """Where a reader stands who has read the entry."""
    return FeedPosition(
        entry.id, event_log.incarnation(b"%s %d %s" % (entry.job_id.encode(), entry.revision, entry.event))
    )


def write_token(position: FeedPosition) -> str:
    """The position as a resume_token."""
    raw = _TOKEN.pack(_VERSION, *position.id, bytes.fromhex(position.digest))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_token(token: str) -> FeedPosition:
    """The position that a resume_token says.

    Raises:
        Refused: FIELD_INVALID.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        version, ms, number, digest = _TOKEN.unpack(raw)
    except (ValueError, struct.error) as error:
        raise _bad_token() from error
    if version != _VERSION:
        raise _bad_token()
    return FeedPosition((ms, number), digest.hex())


def _bad_token() -> Refused:
    return bad_request([("resume_token", "is no token of this API")])
