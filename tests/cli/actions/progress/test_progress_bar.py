"""A bar for what takes its time: drawn at a terminal, and nothing in a pipe."""

import io

import pytest
from rich.console import Console

from headgate_cli.actions.progress.progress_bar import ProgressBar
from headgate_cli.views.output import Printer


class Terminal(io.StringIO):
    """Standard error at a terminal, or not."""

    def __init__(self, is_one: bool) -> None:
        super().__init__()
        self._is_one = is_one

    def isatty(self) -> bool:
        return self._is_one


@pytest.mark.parametrize("is_one", [True, False])
def test_a_bar_is_for_terminals(monkeypatch: pytest.MonkeyPatch, is_one: bool) -> None:
    paper = Terminal(is_one)
    monkeypatch.setattr("sys.stderr", paper)
    errors = Console(file=paper, force_terminal=is_one, width=100, color_system=None)
    with ProgressBar("looking up", Printer(errors=errors)) as bar:
        bar.update(60, 365, "done about 13:05:02\x1b")

    text = paper.getvalue()
    assert bool(text) == is_one
    assert not is_one or all(part in text for part in ("looking up", "60/365 dates", "done about 13:05:02\\x1b"))
