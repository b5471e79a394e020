"""Every form of a report against what it looked like when a person last looked at it, and what none may contain.

To renew the files after a change that is meant: `.venv/bin/python -m tests.cli.views.report.renew`, and look at them.
"""

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from headgate import pb
from headgate_cli.views.report.comma_separated import COLUMNS, comma_separated
from headgate_cli.views.report.markdown import markdown
from headgate_cli.views.report.page import page
from headgate_cli.views.report.rows import ranges, rows
from headgate_cli.views.report.text import plain_text
from tests.cli.views.report.samples import HOSTILE, good, mixed, year
from tests.server.reports.logs import Log

GOLDEN = Path(__file__).with_name("golden")
FORMS: dict[str, Callable[[pb.JobReport], str]] = {
    "txt": plain_text,
    "md": markdown,
    "csv": comma_separated,
    "html": page,
}
SAMPLES = {"good": good, "mixed": mixed}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_report_looks_as_it_did(sample: str, form: str) -> None:
    golden = (GOLDEN / f"report-{sample}.{form}").read_bytes().decode()

    assert FORMS[form](SAMPLES[sample]()) == golden


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_a_server_says_steers_who_reads_it(form: str) -> None:
    assert "\x1b" not in FORMS[form](mixed())


def test_the_statement_is_the_last_line_of_the_text() -> None:
    assert plain_text(good()).splitlines()[-1].startswith("✔ each of 2 dates succeeded exactly once")
    assert plain_text(mixed()).splitlines()[-1].startswith("✘ not shown")


def test_dates_without_gaps_are_one_range() -> None:
    days = [run.biz_date for run in Log(5).job.runs]

    assert ranges([days[4], days[0], days[1], days[2]]) == ["2025-02-05..2025-02-07", "2025-02-09"]


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


class Elements(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("sample", [good, mixed])
def test_a_page_needs_nothing_else_and_runs_nothing(sample: Callable[[], pb.JobReport]) -> None:
    text = page(sample())
    found = Elements(text)

    assert not found.open
    assert not {"script", "link", "img", "iframe", "object", "form", "a", "base"} & set(found.tags)
    names = [name for name, _ in found.attributes]
    assert not [name for name in names if name.startswith("on") or name in ("src", "href", "action", "srcset")]
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"] * found.tags.count("svg")
    assert [
        value
        for name, value in found.attributes
        if name == "content" and (value or "").startswith("default-src 'none'")
    ]
    assert "url(" not in text and "@import" not in text


def test_what_a_server_says_is_text_in_a_page() -> None:
    assert "&lt;script&gt;" in page(mixed())
    assert HOSTILE[:8] not in page(mixed())


def test_a_year_is_one_page_with_a_cell_a_date() -> None:
    whole = year()
    text = page(whole)

    assert len(whole.dates) == 365
    assert text.count('height="15" rx="3"') == 365
    assert len(list(rows(whole))) == 367
    assert text.count('height="14" rx="2"') == 366  # the instance of the date that was stopped never began
    assert len(text) < 1024 * 1024
