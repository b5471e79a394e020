"""Where DataWorks is and as whom to call it. Loads no SDK, so that a settings module may import it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

MEBIBYTE = 1024 * 1024

_ENDPOINT = re.compile(r"(?:(https?)://)?([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(?::([0-9]{1,5}))?/?")
_REGION = re.compile(r"[a-z0-9-]+")

Scheme = Literal["http", "https"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key pair as it was at one moment, perhaps with a session token; never shown by repr.

    Args:
        provider: where it came from, in the SDK's words, such as "static_ak" or "default/env".
    """

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)
    provider: str = "static_ak"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A scheme and a `host` or `host:port`, as they go into the URL and the Host header."""

    scheme: Scheme
    host: str

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read "host", "host:port", "http://host:port" or "https://host". Without a scheme it is https.

        Raises:
            ValueError: it is none of these.
        """
        match = _ENDPOINT.fullmatch(text.strip())
        if match is None or int(match[3] or 0) > 65535:
            raise ValueError(f"not a DataWorks endpoint: {text!r}; give host, host:port or http(s)://host:port")
        host = match[2] if match[3] is None else f"{match[2]}:{match[3]}"
        return cls("http" if match[1] == "http" else "https", host)


@dataclass(frozen=True, slots=True)
class DataWorksSettings:
    """How to reach DataWorks.

    Args:
        region: a region id such as "cn-hangzhou"; it picks the host when no endpoint is given.
        endpoint: see `Endpoint.parse`; None lets the SDK's regional table decide.
        credentials: a fixed key pair; None takes Alibaba's default credential chain.
        ca_file: PEM file of authorities to trust instead of the system's; None trusts the system's.
        max_connections: sockets at most, to each of the two pools. A call beyond waits within its own deadline.
        max_reply_bytes: longest reply body that is read, counted after decompression.
        connect_timeout_seconds: most that TCP connect and TLS handshake may take; a call's deadline holds besides.
        keepalive_seconds: how long an idle connection is kept; must stay below the server's own patience.

    Raises:
        ValueError: the endpoint, the region or a number makes no sense.
    """

    region: str = "cn-hangzhou"
    endpoint: str | None = None
    credentials: Credentials | None = None
    ca_file: Path | None = None
    max_connections: int = 100
    max_reply_bytes: int = 16 * MEBIBYTE
    connect_timeout_seconds: float = 5.0
    keepalive_seconds: float = 15.0

    def __post_init__(self) -> None:
        if not _REGION.fullmatch(self.region):
            raise ValueError(f"not a region id: {self.region!r}")
        if self.endpoint is not None:
            Endpoint.parse(self.endpoint)
        if min(self.max_connections, self.max_reply_bytes) < 1:
            raise ValueError("max_connections and max_reply_bytes must be at least 1")
        if min(self.connect_timeout_seconds, self.keepalive_seconds) <= 0:
            raise ValueError("connect_timeout_seconds and keepalive_seconds must be positive")
