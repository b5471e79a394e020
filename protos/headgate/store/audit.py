"""The audit stream: one record of every change that a caller made, which outlives the job it was made to.

The script that makes the change writes its record, or neither is written. Changes that workers make have no record: the
job's log has them. Records hold names, and nothing of what was sent.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LENGTH: Final = 100_000
"""About how many records are kept; the oldest go first."""

FIELDS: Final = ("actor", "method", "peer", "job", "uid", "connection", "revision")
"""Fields of a record, in the order of `write_audit.lua`; its id begins with the time in ms."""

CONSTANTS: Final = {"AUDIT_LENGTH": LENGTH}
"""What scripts that write records must be given."""


class Origin(NamedTuple):
    """Who makes a change.

    Args:
        actor: the caller's name.
        method: full name of the RPC.
        peer: address that the call came from, as gRPC writes it.
    """

    actor: str
    method: str
    peer: str


NOBODY: Final = Origin("", "", "")
"""Stands for a worker, whose changes are not recorded."""
