"""The audit log: one line for every call that writes, whatever came of it, in a logger of its own.

A line is made of `name=value`; a value that is more than plain characters stands in quotes with escapes, so that no
content ends a line or adds to it. Calls that succeed are never left out. A flood of refused ones is counted.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from headgate import pb
from headgate.store import keys
from headgate.store.audit import NOBODY, Origin
from headgate.store.lives import Life
from headgate_server.logs.failed_calls import FailedCalls

LOGGER: Final = logging.getLogger("headgate_server.audit")

MAX_CHARS: Final = 128
"""Longest value, before escapes; names that are longer are none of ours."""

REFUSED: Final = FailedCalls(LOGGER, "refused besides", lines=50, most=500)
"""Refused calls of this process."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/@%+*\[\]-]{1,128}").fullmatch


class AuditTrail:
    """Where lines go: to the logger as records, or, once `direct` was called, straight to where its handler writes."""

    def __init__(self) -> None:
        self.write: Callable[[str], None] = _log

    def direct(self, write: Callable[[str], None]) -> None:
        """Hand lines to `write`, at 10 % of the cost of a log record."""
        self.write = write


def _log(line: str) -> None:
    if LOGGER.isEnabledFor(logging.INFO):
        # Without a look for the place in the code, which costs as much as the line and is always this one.
        LOGGER.handle(logging.LogRecord(LOGGER.name, logging.INFO, __file__, 0, line, (), None))


TRAIL: Final = AuditTrail()
"""The one of this process."""


class Audited:
    """One call that writes, on the way to its line.

    Args:
        origin: who calls.
    """

    __slots__ = ("_connection", "_job", "_request", "_told", "_uid", "changed", "origin")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.changed = False
        self._job = self._uid = self._connection = ""
        self._request: Any = None
        self._told = False

    def asks(self, request: Any) -> None:
        """Note what is asked for; it says which job and connection is meant until that is known better."""
        self._request = request

    def about(self, job: pb.Job, *, changed: bool = False) -> None:
        """Note which job it is, and whether the call has changed it, or made it."""
        self._job, self._uid, self._connection, self.changed = job.name, job.uid, job.connection, changed

    def of(self, job_id: str, life: Life, *, changed: bool = False) -> None:
        """As `about`, by the job's id and life."""
        self._job, (self._uid, self._connection), self.changed = keys.job_name(job_id), life, changed

    def done(self) -> None:
        """Note that the change was made."""
        self.changed = True

    def tell(self, code: str, reason: str = "") -> None:
        """Write the line, once."""
        if self._told:
            return
        self._told = True
        if not self._job and self._request is not None:
            self._job, self._connection = _named(self._request)
        self._request = None
        if code != "OK" and not REFUSED.has_line(
            reason or code, self.origin.actor, self.origin.method, time.monotonic()
        ):
            return
        TRAIL.write(self._line(code, reason))

    def _line(self, code: str, reason: str) -> str:
        origin = self.origin
        why = f" reason={value(reason)}" if reason else ""
        return (
            f"actor={_known(origin.actor)} method={origin.method} job={value(self._job)} uid={value(self._uid)} "
            f"connection={_known(self._connection)} outcome={code}{why} changed={'yes' if self.changed else 'no'} "
            f"peer={_known(origin.peer)}"
        )


class _Unaudited(Audited):
    """Stands in the calls that only read, and in those of tests that have no edge: it notes nothing."""

    __slots__ = ()

    def asks(self, request: Any) -> None:
        """Nothing."""

    def about(self, job: pb.Job, *, changed: bool = False) -> None:
        """Nothing."""

    def of(self, job_id: str, life: Life, *, changed: bool = False) -> None:
        """Nothing."""

    def done(self) -> None:
        """Nothing."""

    def tell(self, code: str, reason: str = "") -> None:
        """Nothing."""


UNAUDITED: Final = _Unaudited(NOBODY)
"""What a call carries that writes nothing."""


def value(text: str) -> str:
    """A value as it stands in a line."""
    return text if _PLAIN(text) else json.dumps(text[:MAX_CHARS])


_known: Final = lru_cache(maxsize=1_024)(value)
"""As `value`, for names that come again and again."""


def _named(request: Any) -> tuple[str, str]:
    """Name of the job and connection that a request is about, as it says itself; nothing of it is checked."""
    if isinstance(request, pb.RunJobRequest):
        kind = request.WhichOneof("request")
        return ("", "") if kind is None else _named(getattr(request, kind))
    if isinstance(request, pb.UpdateJobRequest):
        return request.job.name, ""
    job_id = str(getattr(request, "job_id", ""))
    name = str(getattr(request, "name", "")) or (job_id and keys.job_name(job_id))
    return name.replace("operations/", "jobs/", 1), str(getattr(request, "connection", ""))
