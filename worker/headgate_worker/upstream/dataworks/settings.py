"""Endpoint of DataWorks, and credentials for it. Loads no SDK, so that a settings module may import it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from headgate_worker.upstream.http.bounds import HttpBounds

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
class DataWorksSettings(HttpBounds):
    """How to reach DataWorks.

    Args:
        region: a region id such as "cn-hangzhou"; it picks the host when no endpoint is given.
        endpoint: see `Endpoint.parse`; None lets the SDK's regional table decide.
        credentials: a fixed key pair; None takes Alibaba's default credential chain.

    Raises:
        ValueError: the endpoint, the region or a number makes no sense.
    """

    region: str = "cn-hangzhou"
    endpoint: str | None = None
    credentials: Credentials | None = None

    def __post_init__(self) -> None:
        if not _REGION.fullmatch(self.region):
            raise ValueError(f"not a region id: {self.region!r}")
        if self.endpoint is not None:
            Endpoint.parse(self.endpoint)
        self.check_bounds()
