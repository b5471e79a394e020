"""Names of long-running operations: each is that of a job. Pure."""

from __future__ import annotations

import re
from typing import Final

from headgate.process.caller_rules import RESOURCE_ID
from headgate_server.errors.status import bad_request

COLLECTION: Final = "operations"
"""What ListOperations lists: the only parent there is."""

_NAME: Final = re.compile(rf"operations/({RESOURCE_ID})\Z")


def operation_name(job_id: str) -> str:
    """Name of a job's operation."""
    return f"{COLLECTION}/{job_id}"


def job_id(name: str) -> str:
    """The job in an operation's name.

    Raises:
        Refused: FIELD_INVALID.
    """
    match = _NAME.match(name)
    if match is None:
        raise bad_request([("name", 'is not "operations/{job_id}"')])
    return match.group(1)


def check_parent(name: str) -> None:
    """Refuse a list of what is not there.

    Raises:
        Refused: FIELD_INVALID.
    """
    if name not in ("", COLLECTION):
        raise bad_request([("name", f'is neither "{COLLECTION}" nor empty')])
