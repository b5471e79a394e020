"""The shared quota of one connection: its limits, presets by edition, and what workers announce of it.

DataWorks counts per account and region, all RAM users together, so one hash in Redis serves every worker. Who may call
when is decided in `admission`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

READ: Final = "read"
WRITE: Final = "write"

TOTAL: Final = "total"
"""Calls of both classes."""

KEEP_MS: Final = 2 * 24 * 3600 * 1000
"""How long the hash of an unused connection is kept."""

ANNOUNCED: Final = "announced"
"""Field of the hash: when, in ms, a worker last announced the connection."""

ALIAS: Final = "is"
"""Field of the hash of a name that stands for another connection: that one's name. Only the empty name does. It stays
when no worker runs, since jobs are accepted all the same, and are to be kept under one name."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What upstream allows one connection. 0 means no such limit.

    Args:
        read_qps: reads a second.
        write_qps: writes a second.
        total_qps: calls a second, of both classes together.
        read_daily: reads a day; days begin at midnight in Asia/Shanghai.
        write_daily: writes a day.
        total_daily: calls a day, of both classes together.
        share: how much of a rate is used, above 0 and at most 1; the rest covers calls whose way takes longer or
            shorter than that of others.
        cancel_reserve: calls of a day that only a cancel may use.
    """

    read_qps: float = 0.0
    write_qps: float = 0.0
    total_qps: float = 0.0
    read_daily: int = 0
    write_daily: int = 0
    total_daily: int = 0
    share: float = 0.96
    cancel_reserve: int = 5


EDITIONS: Final[Mapping[str, Limits]] = {
    "basic": Limits(total_qps=5, total_daily=100),
    "standard": Limits(total_qps=5),
    "professional": Limits(total_qps=5),
    "enterprise": Limits(read_qps=50, write_qps=20),
    "unlimited": Limits(),
}
"""Presets by DataWorks edition, from the usage page of 2026; they move, so each number can be set by itself."""


def edition_of(limits: Limits) -> str:
    """The edition whose preset the limits are; empty where a number was set by itself."""
    return next((name for name, preset in EDITIONS.items() if preset == limits), "")


def announcement(limits: Limits, now_ms: int) -> dict[str, str]:
    """What a worker writes into the hash of a connection that it serves, for servers, which can't ask the worker."""
    return {"limits": json.dumps(asdict(limits), separators=(",", ":")), ANNOUNCED: str(now_ms)}


def alias(connection: str, now_ms: int) -> dict[str, str]:
    """What a worker writes into the hash of a name that stands for a connection of another name."""
    return {ALIAS: connection, ANNOUNCED: str(now_ms)}


_KINDS: Final[Mapping[str, Any]] = {name: type(value) for name, value in asdict(Limits()).items()}


def announced_limits(found: Mapping[str, str]) -> Limits | None:
    """The limits that a worker has announced; None when none has, or in words that this version does not know."""
    try:
        plain = json.loads(found["limits"])
        return Limits(**{name: kind(plain[name]) for name, kind in _KINDS.items()})
    except (KeyError, ValueError, TypeError):
        return None
