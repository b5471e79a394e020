"""The default connection has two names where the workers' file gives it one: its own, and the empty one of requests.

What is kept under a connection's name has to be found under either. A server resolves the empty name when it accepts a
job. Jobs of earlier versions, and those accepted before any worker has announced the default connection, are
kept under the name that their caller wrote; so what must not be done twice is looked up, and taken, under both. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable


def resolved(name: str, default: str) -> str:
    """The name of a connection.

    Args:
        name: as a caller writes it; empty for the default one.
        default: the default connection's own name; empty where it has none, or none is known.
    """
    return name or default


def both(name: str, default: str) -> tuple[str, str]:
    """The name of a connection, and the other one that it has; the same twice where it has one."""
    return (default, "") if default and name in ("", default) else (name, name)


def all_of(names: Iterable[str], default: str) -> frozenset[str]:
    """Every name of connections of which some are known."""
    return frozenset(one for name in names for one in both(name, default))
