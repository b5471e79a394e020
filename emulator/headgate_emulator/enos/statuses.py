"""Where a flow or task instance stands, by EnOS' own numbers and words (List Flow Instances, FlowInstanceStatus)."""

from enum import IntEnum


class Status(IntEnum):
    """The twelve statuses."""

    FAIL = -1
    INIT = 0
    SUCCESS = 1
    RUNNING = 2
    SUSPEND = 3
    INTERNAL_ERROR = 4
    WAIT = 5
    READY = 6
    TIMEOUT = 7
    CANCEL = 8
    RERUN = 9
    SKIP = 10


OVER = frozenset(
    {Status.FAIL, Status.SUCCESS, Status.INTERNAL_ERROR, Status.TIMEOUT, Status.CANCEL, Status.SKIP},
)
"""Statuses that nothing follows. Assumed; no page says so."""
