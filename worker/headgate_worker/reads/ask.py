"""Port of the readers of one kind: asks a cloud for one call's reply, under the quota and within a time."""

from __future__ import annotations

from typing import Protocol

from headgate_worker.core.model.upstream_call import Body, UpstreamCall


class Ask(Protocol):
    """Asks a cloud. Raises `ReadFailed` for what upstream refuses, and KeyError for a connection that is not there."""

    async def __call__(self, connection: str, call: UpstreamCall[Body], left: float, creator: str = "", /) -> Body:
        """The body of the reply to a call of a connection, within `left` seconds, for a creator of jobs."""
        ...
