"""The default connection's own name, for what records jobs and asks workers."""

from __future__ import annotations

from typing import Any, Protocol


class DefaultName(Protocol):
    """Port: knows what the empty name of a connection stands for; `name` is empty where it has no other name."""

    name: str

    def resolve(self, request: Any) -> None:
        """Put the name into a request that names the default connection by the empty name."""
