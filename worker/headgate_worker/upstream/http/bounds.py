"""How much the HTTP connections to one endpoint may take: a part of every adapter's settings. Loads no HTTP library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpBounds:
    """Bounds of the connections to one endpoint.

    Args:
        ca_file: PEM file of authorities to trust instead of the system's; None trusts the system's.
        max_connections: sockets at most, to each of the two pools. A call beyond waits within its own deadline.
        max_reply_bytes: longest reply body that is read, counted after decompression.
        connect_timeout_seconds: most that TCP connect and TLS handshake may take; a call's deadline holds besides.
        keepalive_seconds: how long an idle connection is kept; must stay below the server's own patience.
    """

    ca_file: Path | None = None
    max_connections: int = 100
    max_reply_bytes: int = 16 * MEBIBYTE
    connect_timeout_seconds: float = 5.0
    keepalive_seconds: float = 15.0

    def check_bounds(self) -> None:
        """Raise ValueError for a number that makes no sense."""
        if min(self.max_connections, self.max_reply_bytes) < 1:
            raise ValueError("max_connections and max_reply_bytes must be at least 1")
        if min(self.connect_timeout_seconds, self.keepalive_seconds) <= 0:
            raise ValueError("connect_timeout_seconds and keepalive_seconds must be positive")
