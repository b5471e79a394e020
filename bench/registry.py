"""Every row by its id, in the order they are run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.figures import Found
from bench.rows import calls, lanes, peers, recovery, starting, storage, streams, ticks, transport, work
from bench.setting import Size


@dataclass(frozen=True, slots=True)
class BenchRow:
    """A row.

    Args:
        id: what `--only` takes.
        what: what is measured against what.
        run: does it.
        longest: seconds after which it is given up.
        in_quick: whether a quick run has it.
    """

    id: str
    what: str
    run: Callable[[Size], Awaitable[Found]]
    longest: float = 240.0
    in_quick: bool = True


_ALL: Final = (
    BenchRow("P1", "throughput of durable submits, one server process", calls.p1),
    BenchRow("P2", "time of a durable submit, one caller", calls.p2),
    BenchRow("P3", "from a submit to the first call of the cloud", work.p3),
    BenchRow("P4", "ticks per second against a stock ARQ worker", ticks.p4),
    BenchRow("P5", "from a commit to the eyes of a watcher", streams.p5),
    BenchRow("P6", "one event to many watchers", streams.p6),
    BenchRow("P7", "memory per watcher", streams.p7),
    BenchRow("P8", "memory of Redis per job", storage.p8),
    BenchRow("P9", "calls of the cloud per second of CPU, verified HTTPS", transport.p9),
    BenchRow("P10", "what a read through a worker adds", work.p10),
    BenchRow("P11", "throughput of reads that a server answers itself", calls.p11),
    BenchRow("P12", "growth with the number of stored jobs", storage.p12),
    BenchRow("P13", "watching many long runs", ticks.p13),
    BenchRow("P14", "recovery from kill -9 of a worker", recovery.p14, longest=400.0),
    BenchRow("P15", "two server processes against one", starting.p15),
    BenchRow("P16", "time to start", starting.p16),
    BenchRow("P18", "a backfill against the ideal schedule of its run times", lanes.p18, longest=500.0),
    BenchRow("peers", "queues that do part of the job", peers.peers, longest=400.0, in_quick=False),
)

ROWS: Final[Mapping[str, BenchRow]] = {row.id: row for row in _ALL}
"""All rows."""
