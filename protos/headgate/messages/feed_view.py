"""What the feed shows of events: all of them, without payloads. Pure.

The feed outlives jobs, and its entries can't be taken out of it one by one. So an event that has payloads is shown
without them, beside the digest of the whole event; the whole event is in the job's log. Most events have
none, and stand in the feed byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence

from headgate import pb
from headgate.job import event_log
from headgate.messages import views


def shown_first(event: pb.JobEvent, body: bytes) -> tuple[bytes, ...]:
    """How the feed shows a log's first event whose job has payloads, as `shown` has it.

    Args:
        event: the event.
        body: the event as bytes.
    """
    return (_shown(views.basic_event(event).SerializeToString(), body),)


def shown(revision: int, events: Sequence[bytes]) -> tuple[bytes, ...]:
    """How the feed shows events: for each the digest of it and the event without payloads, empty where it has none.

    Args:
        revision: the job's revision before the events.
        events: the events as bytes.

    Returns:
        As many as there are events, or none when no event has payloads.
    """
    stripped = [views.basic_event_bytes(revision + i + 1, body) for i, body in enumerate(events)]
    found = tuple(b"" if short == body else _shown(short, body) for short, body in zip(stripped, events, strict=True))
    return found if any(found) else ()


def _shown(short: bytes, body: bytes) -> bytes:
    return event_log.incarnation(body).encode() + short
