"""What the engine needs of the world, as protocols. Adapters are short and live in their own modules."""

from __future__ import annotations

from typing import Protocol

from headgate_worker.core.calls import Call, Outcome


class Upstream(Protocol):
    """A cloud that runs workflows."""

    async def call(self, call: Call, *, timeout_seconds: float) -> Outcome:
        """Send exactly one request and say what came of it, within `timeout_seconds` in all.

        Raises nothing for what an upstream may do; CancelledError passes through.
        """
        ...

    async def aclose(self) -> None:
        """Close connections; calls after it are an error."""
        ...
