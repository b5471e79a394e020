"""A bar for what takes its time for each of many dates."""

import sys
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from headgate_cli.views.output import Printer, clean


class ProgressBar:
    """How many dates are done: a bar on standard error at a terminal, nothing in a pipe."""

    def __init__(self, word: str, printer: Printer) -> None:
        columns = (TextColumn(word), BarColumn(), MofNCompleteColumn(), TextColumn("dates"), TimeElapsedColumn())
        waiting = TextColumn("{task.description}", style="dim")
        self._drawn = printer.errors.is_terminal and sys.stderr.isatty()
        self._progress = Progress(*columns, waiting, console=printer.errors, transient=True)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._progress.stop()

    def update(self, done: int, total: int, said: str) -> None:
        """Show how far it is, and what there is to say of it."""
        if self._drawn:
            self._progress.start()
            self._progress.update(self._task, total=total, completed=done, description=clean(said))
