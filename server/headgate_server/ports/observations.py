"""What the store knows of watched instances, and the port to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from headgate_server.ports.instance_kinds import InstanceKey


@dataclass(frozen=True, slots=True)
class Observation:
    """What the store knows of an instance: its last row as bytes, and the holder of its next read, empty for none."""

    raw: bytes | None
    holder: bytes


class ObservationStore(Protocol):
    """Port: what is known of instances, and the claims on their next read."""

    async def seen(self, instances: Sequence[InstanceKey]) -> list[Observation]:
        """What is known of instances, in the order asked for."""

    async def claim(self, instance: InstanceKey, ms: int) -> bool:
        """Take the next read of an instance for so long, if it is free."""

    async def keep(self, instance: InstanceKey, ms: int) -> None:
        """Hold a claim for so long from now on."""
