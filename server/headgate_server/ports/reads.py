"""Reads of upstream, as rooms ask for them: what a read takes, and who answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from google.protobuf.duration_pb2 import Duration

from headgate import pb
from headgate_server.ports.call import Call


@dataclass(frozen=True, slots=True)
class ReadCost:
    """What a read takes.

    Args:
        reads: about how many calls upstream.
        plan_dates: how many dates of a plan.
    """

    reads: int = 1
    plan_dates: int = 0


ONE: Final = ReadCost()
"""A read of one call."""


class Request(Protocol):
    """A request that names its connection."""

    connection: str

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """The request as bytes."""


class UpstreamReads(Protocol):
    """Port: reads of upstream, which only workers can do."""

    async def ask(
        self, method: str, request: Request, call: Call, *, extra_seconds: float = 0.0, cost: ReadCost = ONE
    ) -> bytes:
        """A worker's answer to a read."""

    async def recent(
        self,
        connection: str,
        ids: Sequence[int | str],
        max_staleness: Duration,
        *,
        kind: type[pb.WorkflowInstance | pb.FlowInstance] = pb.WorkflowInstance,
    ) -> list[bytes] | None:
        """The last observations of instances, if every one of them is recent enough; else None."""
