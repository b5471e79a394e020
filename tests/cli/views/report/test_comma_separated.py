"""A report as comma-separated values: a line an instance, and no formula."""

import csv
import io

from headgate import pb
from headgate_cli.views.report.comma_separated import COLUMNS, comma_separated
from tests.cli.views.report.samples import mixed
from tests.server.reports.logs import Log


def test_a_line_of_csv_has_every_column_and_no_formula() -> None:
    of = Log(1)
    of.run(0, pb.RUN_STATE_FAILED, 11, upstream_status="=cmd|' /C calc'!A0", dry_run_tasks=["@sum", "-1"])
    lines = list(csv.reader(io.StringIO(comma_separated(of.report()))))

    assert {len(line) for line in lines} == {len(COLUMNS)}
    assert not [cell for line in lines for cell in line if cell.startswith(("=", "+", "-", "@"))]


def test_every_instance_is_a_line_of_csv() -> None:
    lines = list(csv.DictReader(io.StringIO(comma_separated(mixed()))))

    assert [line["workflow_instance_id"] for line in lines] == ["11", "21", "12", "7", "", "15", "50", "16"]
    assert [line["kind"] for line in lines].count("foreign") == 1
    assert lines[0]["upstream_request_ids"] == "C-1"
