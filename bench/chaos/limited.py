"""The greedy caller of `caller-flood`, under a name and with limits of its own."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bench.chaos.greedy import Greedy, caller_flood
from bench.chaos.results import Report
from bench.chaos.stage import Trial

from headgate_client import ClientOptions

GREEDY, OTHERS = (f"hg_{hashlib.sha256(name.encode()).hexdigest()[:43]}" for name in ("greedy", "others"))

MAX_WATCHES: Final = 3_000
"""Streams of the process: fewer than the greedy caller wants, so that without a limit of its own it takes them all."""


@dataclass(frozen=True, slots=True)
class LimitedCallers:
    """Size of `caller-limits`: what the greedy caller may do, 0 for no limit; and the flood.

    Args:
        margin: seconds that the flood may go on after its end.
    """

    watches: int = 1_000
    per_second: int = 300
    margin: float = 3.0
    flood: Greedy = field(default_factory=lambda: Greedy(megabytes={"submits": 100.0, "streams": 450.0}))


async def caller_limits(trial: Trial, size: LimitedCallers | None = None) -> Report:
    """Flood the server as in `caller-flood`, by submits and streams of a caller with limits."""
    size = size or LimitedCallers()
    seconds = size.flood.seconds + size.margin
    most = {"submits": int(size.per_second * seconds), "streams": size.watches}
    with tempfile.TemporaryDirectory(prefix="headgate-callers-") as name:
        path = Path(name) / "callers.toml"
        path.write_text(
            _entry("greedy", GREEDY, size) + _entry("others", OTHERS, LimitedCallers(watches=0, per_second=0))
        )
        environment = {"HEADGATE_CALLERS": str(path), "HEADGATE_MAX_WATCHES": str(MAX_WATCHES)}
        options = ClientOptions(token=OTHERS)
        return await caller_flood(
            trial, replace(size.flood, most=most, environment=environment, token=GREEDY, options=options)
        )


def _entry(name: str, token: str, limits: LimitedCallers) -> str:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return (
        f'[callers.{name}]\nrights = ["write"]\ntokens = [{{sha256 = "{digest}"}}]\n'
        f"max_watches = {limits.watches}\ncalls_per_second = {limits.per_second}\n"
    )
