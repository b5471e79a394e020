"""What the load generators send, as bytes made before the clock runs."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import count

from headgate import pb

PAYLOAD = bytes(range(256)) * 2
"""What echo is asked to send back: about as long as a job."""


def submit(number: int, run: str) -> bytes:
    """A backfill of one date, unlike every other: its own request id and name, and dates that no other one holds."""
    request = pb.CreateBackfillRequest(request_id=f"bench-{run}-{number:08d}")
    spec = request.spec
    spec.project_id, spec.name = 1 + zlib.crc32(run.encode()), f"bench-{run}-{number:08d}"
    day = spec.biz_dates.add()
    for end in (day.start_biz_date, day.end_biz_date):
        end.year, end.month, end.day = 2026, 11, 1
    spec.default_run_properties.parallelism = 2
    spec.default_run_properties.root_task_ids.append(1_000_000 + number)
    return request.SerializeToString()


def submits(run: str) -> Iterator[bytes]:
    """Backfills without end; `run` marks those of one run."""
    return (submit(number, run) for number in count())


def bodies(kind: str, run: str) -> Iterator[bytes]:
    """Requests of a kind without end: "submit", "payload", or any other, which is a request in hex digits."""
    if kind == "submit":
        return submits(run)
    body = PAYLOAD if kind == "payload" else bytes.fromhex(kind)
    return (body for _ in count())
