"""Clouds that run workflows, and their shared quota, as protocols."""

from __future__ import annotations

from typing import Protocol

from headgate.quota import limits
from headgate.quota.admission import PLAIN, QuotaVerdict
from headgate.quota.priority import Rank
from headgate_worker.core.model.calls import WRITES, Call, Failure, OutcomeOf
from headgate_worker.core.model.upstream_call import Body, UpstreamCall


class Upstream(Protocol):
    """A cloud that runs workflows."""

    async def call(self, call: UpstreamCall[Body], *, timeout_seconds: float) -> OutcomeOf[Body]:
        """Send exactly one request and say what came of it, within `timeout_seconds` in all.

        Raises nothing for what an upstream may do; CancelledError passes through.
        """
        ...

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        """Why no connection can be had now; None when one can. Sends nothing, and raises as `call` does."""
        ...

    async def aclose(self) -> None:
        """Close connections; calls after it are an error."""
        ...


class GovernedUpstream(Upstream, Protocol):
    """A cloud with the quota that all workers share."""

    async def admit(
        self, call: Call, *, patience_ms: int, cancel: bool = False, rank: Rank = PLAIN, held: int | None = None
    ) -> QuotaVerdict:
        """Whether the call may go out, or when. A `Slot` is to be shown then, by its epoch as `held`.

        Raises:
            redis.exceptions.RedisError: the quota can't be asked.
        """
        ...


class Upstreams(Protocol):
    """The upstreams of a deployment, by the name of their connection."""

    def get(self, connection: str) -> GovernedUpstream:
        """The upstream of a connection; "" is the default one.

        Raises:
            KeyError: there is no such connection.
        """
        ...


def class_of(call: Call) -> str:
    """Which quota a call counts against: "write" where it changes something, else "read"."""
    return limits.WRITE if type(call) in WRITES else limits.READ
