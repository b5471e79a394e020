"""A report as Markdown: its sections, and nothing that is markup by accident."""

import pytest

from headgate import pb
from headgate_cli.views.report.markdown import escaped, markdown
from tests.cli.views.report.samples import good, mixed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("*x* _y_ `z`", "\\*x\\* \\_y\\_ \\`z\\`"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("[a](b)!", "\\[a\\](b)\\!"),
        ("# a\nb", "\\# a b"),
        ("\x1b[31m", "\\\\x1b\\[31m"),
    ],
)
def test_what_is_said_is_text(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_a_section_without_a_line_is_left_out() -> None:
    sections = [line for line in markdown(good()).splitlines() if line.startswith("## ")]
    all_of_them = [line for line in markdown(mixed()).splitlines() if line.startswith("## ")]

    assert sections == ["## Dates"]
    assert all_of_them == ["## What is not so", "## Dates", "## Calls", "## Notes"]


def test_every_row_of_a_table_has_the_columns_of_its_head() -> None:
    rows = [line for line in markdown(mixed()).splitlines() if line.startswith("|")]
    cells = [line.replace("\\|", "").count("|") for line in rows]

    assert len(rows) > 10 and set(cells) == {12, 5}


def test_the_mark_is_that_of_the_statement() -> None:
    assert "**✔ " in markdown(good()) and "**✘ " in markdown(mixed())
    assert markdown(pb.JobReport(name="jobs/a")).startswith("# Report of jobs/a\n\n**✘ **\n")
