"""Every row by its id, in the order they are run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.figures import Found
from bench.rows import calls
from bench.setting import Size


@dataclass(frozen=True, slots=True)
class Row:
    """A row.

    Args:
        id: what `--only` takes.
        what: what is measured against what.
        run: does it.
        longest: seconds after which it is given up.
    """

    id: str
    what: str
    run: Callable[[Size], Awaitable[Found]]
    longest: float = 240.0


_ALL: Final = (
    Row("P1", "throughput of durable submits, one server process", calls.p1),
    Row("P2", "time of a durable submit, one caller", calls.p2),
    Row("P11", "throughput of reads that a server answers itself", calls.p11),
)

ROWS: Final[Mapping[str, Row]] = {row.id: row for row in _ALL}
"""All rows."""
