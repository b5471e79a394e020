"""Errors of Redis and its client as ours. Nothing of their text, which may name hosts and users, goes further."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis import exceptions as redis_errors

from headgate_server.errors import ServerError, StoreFull, StoreUnavailable

NOT_REACHED: Final = (redis_errors.ConnectionError, redis_errors.TimeoutError, OSError, TimeoutError)
"""Without an answer: whether the command was executed is not known."""

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
)
"""Marks in Redis' own error lines. A script's error carries the line of the command that failed inside of it."""


def classify(error: Exception) -> ServerError | None:
    """What an exception of redis-py means; None for one that only a mistake of ours explains."""
    if isinstance(error, (*NOT_REACHED, redis_errors.ReadOnlyError)):
        return StoreUnavailable(type(error).__name__)
    if isinstance(error, redis_errors.OutOfMemoryError):
        return StoreFull()
    line = str(error)
    return next((kind(mark.strip()) for mark, kind in _REFUSALS if mark in line), None)


def is_demoted(error: Exception) -> bool:
    """Whether this Redis has become a replica: connections to it are of no use any more."""
    return isinstance(error, redis_errors.ReadOnlyError) or "READONLY" in str(error)


@contextmanager
def translated() -> Iterator[None]:
    """Turn exceptions of redis-py into ours. Those that mean a mistake of ours pass through."""
    try:
        yield
    except (redis_errors.RedisError, OSError, TimeoutError) as error:
        if (ours := classify(error)) is None:
            raise
        raise ours from error
