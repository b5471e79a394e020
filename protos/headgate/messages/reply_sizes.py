"""Rows of upstream that share one message: so many that their longest members have to be cut for all to fit. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from headgate import pb
from headgate.job.sizes import cut

ROWS_BYTES: Final = 2 * 1024 * 1024
"""What all rows of one message take at most; clients refuse messages of more than 4 MiB by default."""

MIN_ROW_BYTES: Final = 4 * 1024
"""What a row may take however many there are: at most 200 are shown at a time."""


def fit_instances(rows: Iterable[pb.WorkflowInstance]) -> None:
    """Cut parameters, and if need be tags, of rows that take more than their share, in place."""
    _fit(list(rows), "workflow_parameters", "tags")


def fit_flows(rows: Iterable[pb.FlowInstance]) -> None:
    """The same for flows: first of their graphs, which GetFlowInstance shows whole."""
    _fit(list(rows), "graph", "parameters", "status_desc", "flow_name", "owner", "freq")


def _fit(rows: list[Any], *names: str) -> None:
    if sum(row.ByteSize() for row in rows) <= ROWS_BYTES:
        return
    room = max(MIN_ROW_BYTES, ROWS_BYTES // len(rows))
    for row in rows:
        for name in names:
            if row.ByteSize() > room:
                _shorten(row, name, room // 2)


def _shorten(row: Any, name: str, most: int) -> None:
    value = getattr(row, name)
    if isinstance(value, str):
        setattr(row, name, cut(value, most))
    else:
        row.ClearField(name)
