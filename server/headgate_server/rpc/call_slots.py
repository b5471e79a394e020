"""The slots that calls go through: one while the request is on its way, then one while the call is served."""

from __future__ import annotations

from headgate_server.auth import denials
from headgate_server.auth.denials import Denial
from headgate_server.rpc.open_calls import OpenCalls
from headgate_server.rpc.pending_requests import PendingRequests


class CallSlots:
    """The slots of one kind of calls.

    Args:
        limit: most calls that are served at once.
        pending: those whose request is on its way. They take nothing of `limit`.
    """

    def __init__(self, limit: int, pending: PendingRequests) -> None:
        self.open = OpenCalls(limit)
        self.pending = pending

    def why_not(self) -> Denial | None:
        """How a call is answered for which there is no room; None while there is."""
        return None if self.open.has_room() else denials.no_room(self.open.limit)
