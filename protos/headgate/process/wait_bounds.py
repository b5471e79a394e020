"""How long workers wait for what may happen by itself; they announce it, and servers explain by it. Pure.

Workers write it into the hash of each connection that they serve. One of a version that does not is taken to have the
defaults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

FIELD: Final = "waits"
"""Field of a connection's hash."""


@dataclass(frozen=True, slots=True)
class WaitBounds:
    """Waits of a worker, all in ms.

    Args:
        adopt_grace_ms: how long a child may stay NotRun after its parent's end before it is started.
        settle_ms: how long after an intent a lost call is searched for.
        resend_absent: whether a create that no search has found is sent again then; else a person is asked.
        stop_watchdog_ms: how long a cancel may stay unconfirmed, with nothing happening, before a person is asked.
        retry_min_ms: how long a failed date waits for its first further try; the wait doubles.
        retry_max_ms: how long it waits at most.
    """

    adopt_grace_ms: int = 90_000
    settle_ms: int = 180_000
    resend_absent: bool = False
    stop_watchdog_ms: int = 600_000
    retry_min_ms: int = 30_000
    retry_max_ms: int = 600_000

    def retry_ms(self, retries: int) -> int:
        """How long a date waits after its failure; `retries` is how often it was tried again before."""
        return min(self.retry_max_ms, self.retry_min_ms << min(retries, 16))


_KINDS: Final[Mapping[str, Any]] = {name: type(value) for name, value in asdict(WaitBounds()).items()}


def announcement(waits: WaitBounds) -> dict[str, str]:
    """What a worker writes into the hash of a connection that it serves."""
    return {FIELD: json.dumps(asdict(waits), separators=(",", ":"))}


def announced(found: Mapping[str, str]) -> WaitBounds:
    """What a worker has written; the defaults where none has, or in words that this version does not know."""
    try:
        plain = json.loads(found[FIELD])
        return WaitBounds(**{name: kind(plain[name]) for name, kind in _KINDS.items()})
    except (KeyError, ValueError, TypeError):
        return WaitBounds()
