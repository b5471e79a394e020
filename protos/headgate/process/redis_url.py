"""HEADGATE_REDIS_URL, read: one server, or a primary that Sentinels know. Pure: adapters connect.

    redis://[[user]:password@]host[:port][/db]     one server
    rediss://...                                    the same over TLS; ?ssl_ca_certs=FILE and so on, as redis-py
    redis+sentinel://[[user]:password@]host[:port][,host[:port]...]/primary[/db]
    rediss+sentinel://...                           Sentinels and servers over TLS

User and password are those of the servers. Sentinels are asked with the query's sentinel_username and
sentinel_password, or without.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

SENTINEL_PORT: Final = 26379
"""Port of a Sentinel where the URL names none."""


class BadRedisUrl(ValueError):
    """The URL can't be used; the message says why and never shows the password."""


@dataclass(frozen=True, slots=True)
class SentinelTarget:
    """A primary that Sentinels know.

    Args:
        sentinels: host and port of each Sentinel.
        primary: the name the Sentinels know it by.
        tls: whether Sentinels and servers are reached over TLS.
        options: further options of the query, such as ssl_ca_certs, for servers and Sentinels alike.
    """

    sentinels: tuple[tuple[str, int], ...]
    primary: str
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)
    tls: bool = False
    options: tuple[tuple[str, str], ...] = ()


def parse(url: str) -> SentinelTarget | None:
    """The Sentinels and the primary that a URL names; None for one server, whose URL redis-py reads itself.

    Raises:
        BadRedisUrl: the scheme is unknown, or a Sentinel URL lacks hosts or the primary's name.
    """
    scheme, _, rest = url.partition("://")
    if scheme in ("redis", "rediss", "unix"):
        return None
    if scheme not in ("redis+sentinel", "rediss+sentinel"):
        raise BadRedisUrl(f"HEADGATE_REDIS_URL: unknown scheme {scheme[:20]!r}; see the settings for those there are")
    parts = urlsplit(f"//{rest}")
    credentials, _, hosts = parts.netloc.rpartition("@")
    path = [unquote(part) for part in parts.path.split("/") if part]
    if not hosts or not 1 <= len(path) <= 2:
        raise BadRedisUrl("HEADGATE_REDIS_URL: a Sentinel URL is redis+sentinel://host[:port][,host...]/primary[/db]")
    user, _, password = credentials.partition(":")
    options = dict(parse_qsl(parts.query))
    return SentinelTarget(
        sentinels=tuple(_host(text) for text in hosts.split(",")),
        primary=path[0],
        db=_db(path[1] if len(path) > 1 else "0"),
        username=unquote(user),
        password=unquote(password),
        sentinel_username=options.pop("sentinel_username", ""),
        sentinel_password=options.pop("sentinel_password", ""),
        tls=scheme == "rediss+sentinel",
        options=tuple(sorted(options.items())),
    )


def _host(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, SENTINEL_PORT
    if not host or not port.isdecimal() or int(port) > 65535:
        raise BadRedisUrl(f"HEADGATE_REDIS_URL: {text!r} is not host:port")
    return host, int(port)


def _db(text: str) -> int:
    if not text.isdecimal():
        raise BadRedisUrl(f"HEADGATE_REDIS_URL: {text!r} is not the number of a database")
    return int(text)


def server_options(target: SentinelTarget) -> dict[str, Any]:
    """Keyword arguments of redis-py's connections to the servers behind Sentinels."""
    options: dict[str, Any] = {"db": target.db, **dict(target.options)}
    options |= {name: value for name in ("username", "password") if (value := getattr(target, name))}
    return options | ({"ssl": True} if target.tls else {})


def sentinel_options(target: SentinelTarget) -> dict[str, Any]:
    """Keyword arguments of redis-py's connections to the Sentinels themselves."""
    options: dict[str, Any] = dict(target.options)
    options |= {"username": target.sentinel_username} if target.sentinel_username else {}
    options |= {"password": target.sentinel_password} if target.sentinel_password else {}
    return options | ({"ssl": True} if target.tls else {})


def mask(url: str) -> str:
    """A URL to be shown: without its password and its query, either of which can hold a secret."""
    parts = urlsplit(url)
    credentials, at, place = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}{colon and ':***'}{at}{place}", query="***" if parts.query else ""))
