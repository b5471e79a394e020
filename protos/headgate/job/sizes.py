"""How large a job may become, so that each message that shows one fits twice into what a client takes. Pure.

A request is bounded before it is recorded, and its job grows from then on: rows, calls, messages of upstream, ends of
logs. In three steps it grows less and less: rows are shortened, no date is tried again, and at last it ends.
"""

from __future__ import annotations

from typing import Final

from headgate import pb

MAX_JOB_BYTES: Final = 2 * 1024 * 1024 - 8 * 1024
"""What no job reaches: half of the 4 MiB that a client takes of one message by default, less what is around it."""

SHORT_TEXTS_BYTES: Final = 768 * 1024
"""Bytes of a job from which on what is added to its rows is shortened."""

NO_RETRY_BYTES: Final = 1024 * 1024
"""From here on no date of the job runs again: a backfill of its own has room for it."""

END_BYTES: Final = 1408 * 1024
"""From here on the job ends: one more event could bring it near MAX_JOB_BYTES."""

SHORT_ROW_BYTES: Final = 384
"""Most bytes of a shortened run or call, but for names that are needed whole."""

EVENT_BYTES: Final = 256 * 1024
"""Bytes that the rows of one event share while they are not shortened."""

MAX_ROW_BYTES: Final = 16 * 1024
"""What one row takes at most."""


def row_room(job_bytes: int, rows: int) -> int:
    """Bytes that each of `rows` rows of an event may take on a job of that size."""
    if job_bytes >= SHORT_TEXTS_BYTES:
        return SHORT_ROW_BYTES
    return max(SHORT_ROW_BYTES, min(MAX_ROW_BYTES, EVENT_BYTES // max(1, rows)))


def has_room_for_retry(job: pb.Job) -> bool:
    """Whether dates of the job may run again."""
    return job.ByteSize() < NO_RETRY_BYTES


def cut(text: str, most: int) -> str:
    """The first characters of a text that take at most `most` bytes of UTF-8."""
    if len(text) <= most // 4:
        return text
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
