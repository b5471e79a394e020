"""A report as comma-separated values: a line per instance, and one for each date without any. Times are UTC.

No cell is taken for a formula by a spreadsheet, whatever a task is named.
"""

import csv
import io
from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_cli.input.enums import plain
from headgate_cli.views.report.rows import ReportRow, rows

COLUMNS = (
    *("biz_date", "date_state", "date_successes", "date_check", "date_has_objection"),
    *("kind", "workflow_instance_id", "attempt", "state", "upstream_status", "started_by", "stopped_by"),
    *(
        "began",
        "ended",
        "took_seconds",
        "upstream_request_ids",
        "dry_run_tasks",
        "upstream_now",
        "changed_by",
        "detail",
    ),
)
"""What each line has."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def comma_separated(report: pb.JobReport) -> str:
    """Return the report as CSV (RFC 4180), with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    days = {_day(one): one for one in report.dates}
    for row in rows(report):
        writer.writerow(map(_safe, _line(days[row.day], row)))
    return text.getvalue()


def _day(one: pb.DateReport) -> str:
    return f"{one.biz_date.year:04}-{one.biz_date.month:02}-{one.biz_date.day:02}"


def _line(one: pb.DateReport, row: ReportRow) -> Sequence[str]:
    state = "left alone" if one.left_alone else plain(one.state, pb.RunState, "RUN_STATE_")
    check = plain(one.check, pb.DateCheck, "DATE_CHECK_") if one.check else ""
    took = "" if row.took_seconds is None else f"{row.took_seconds:.3f}"
    return (
        *(row.day, state, str(one.successes), check, "yes" if one.has_objection else "no"),
        *(row.kind, row.instance, str(row.attempt or ""), row.state, row.status, row.started_by, row.stopped_by),
        *(_utc(row.began), _utc(row.ended), took, " ".join(row.calls), " ".join(row.dry_runs)),
        *(row.now, row.changed_by, row.detail),
    )


def _utc(moment: Timestamp | None) -> str:
    return "" if moment is None else moment.ToJsonString()


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
