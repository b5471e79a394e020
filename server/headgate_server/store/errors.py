"""Errors of Redis and its client as ours. Nothing of their text, which may name hosts and users, goes further."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from redis import exceptions as redis_errors

from headgate_redis import pipeline
from headgate_redis.row_errors import DAMAGE_MARKS
from headgate_server.errors.exceptions import RowDamaged, ServerError, StoreFull, StoreUnavailable
from headgate_server.errors.share_exceeded import PROCESS, exceeded


class StoreReplyLost(StoreUnavailable):
    """Commands were sent, or may have been, and no answer came; where that is safe they are sent again."""


_REFUSALS: Final[tuple[tuple[str, type[ServerError]], ...]] = (
    ("OOM ", StoreFull),
    ("command not allowed when used memory", StoreFull),
    ("READONLY", StoreUnavailable),
    ("read only replica", StoreUnavailable),
    ("MISCONF", StoreUnavailable),
    ("LOADING", StoreUnavailable),
    ("MASTERDOWN", StoreUnavailable),
    ("CLUSTERDOWN", StoreUnavailable),
    ("NOREPLICAS", StoreUnavailable),
    ("BUSY", StoreUnavailable),
    ("NOAUTH", StoreUnavailable),
    ("NOPERM", StoreUnavailable),
    *((mark, RowDamaged) for mark in DAMAGE_MARKS),
)
"""Marks in Redis' own error lines. A script's error carries the line of the command that failed inside of it."""


def classify(error: Exception) -> ServerError | None:
    """What an exception of redis-py means; None for one that only a mistake of ours explains."""
    if isinstance(error, pipeline.PipelineFull):
        return exceeded("store_calls", pipeline.MAX_WAITING, PROCESS, 1)
    if isinstance(error, pipeline.ReplyLost):
        return StoreReplyLost("no reply")
    if isinstance(error, (*pipeline.NOT_REACHED, redis_errors.ReadOnlyError)):
        return StoreUnavailable(type(error).__name__)
    if isinstance(error, redis_errors.OutOfMemoryError):
        return StoreFull()
    line = str(error)
    return next((kind(mark.strip()) for mark, kind in _REFUSALS if mark in line), None)


class translated:  # noqa: N801 - it is used as a phrase: with translated()
    """Turn exceptions of redis-py into ours. Those that mean a mistake of ours pass through.

    A class, since every call goes through here and a generator would cost three times as much.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, redis_errors.RedisError | OSError | TimeoutError) and (ours := classify(error)):
            raise ours from error
