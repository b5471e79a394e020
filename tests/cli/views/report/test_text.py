"""A report as plain text."""

from headgate_cli.views.report.text import plain_text
from tests.cli.views.report.samples import good, mixed


def test_the_statement_is_the_last_line_of_the_text() -> None:
    assert plain_text(good()).splitlines()[-1].startswith("✔ each of 2 dates succeeded exactly once")
    assert plain_text(mixed()).splitlines()[-1].startswith("✘ not shown")
