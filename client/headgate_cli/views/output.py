"""Write results: rich tables at a terminal, plain aligned text in a pipe, proto JSON where asked for.

Whatever comes from a server is cleaned of control characters first: a name must not be able to steer a
terminal.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import typer
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headgate_cli.process import closed_pipe

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

Row = Sequence[str | Text]


def clean(text: str) -> str:
    """Return the text in one line, with control characters shown instead of obeyed."""
    line = " ".join(text.replace("\t", " ").split("\n"))
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", line)


@dataclass(frozen=True, slots=True)
class Printer:
    """Writes to standard output, and complaints to standard error."""

    as_json: bool = False
    console: Console = field(default_factory=lambda: Console(highlight=False))
    errors: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))

    @property
    def is_live(self) -> bool:
        """Whether a person looks at a terminal, so that lines may be drawn again."""
        return self.console.is_terminal and not self.as_json

    def line(self, text: str | Text = "") -> None:
        """Write one line."""
        if self.console.is_terminal and isinstance(text, Text):
            self.console.print(text, soft_wrap=True)
        else:
            typer.echo(str(text))

    def document(self, message: Message) -> None:
        """Write a message as one JSON document."""
        typer.echo(MessageToJson(message))

    def json_line(self, message: Message) -> None:
        """Write a message as one line of JSON."""
        typer.echo(MessageToJson(message, indent=None))

    def table(self, columns: Sequence[str], rows: Sequence[Row], title: str = "") -> None:
        """Write a table: drawn at a terminal, aligned columns with a header in a pipe."""
        if self.console.is_terminal:
            self.console.print(drawn(columns, rows, title))
            return
        if title:
            typer.echo(title)
        for line in aligned(columns, rows):
            typer.echo(line)

    def complain(self, text: str) -> None:
        """Write what went wrong to standard error."""
        self._error(Text.assemble(("headgate: ", "bold red"), text))

    def complain_more(self, text: str) -> None:
        """Write one more line about it."""
        self._error(Text(f"  {text}"))

    def note(self, text: str) -> None:
        """Write something to standard error that is no fault; nothing when the reader of the output has gone."""
        if closed_pipe.is_closed():
            return
        self._error(Text(f"headgate: {text}", style="dim"))

    def _error(self, text: Text) -> None:
        if self.errors.is_terminal:
            self.errors.print(text, soft_wrap=True)
        else:
            typer.echo(text.plain, err=True)


def drawn(columns: Sequence[str], rows: Sequence[Row], title: str = "") -> Table:
    """Return a table for a terminal."""
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def aligned(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table in plain text: columns padded, two spaces between them."""
    cells = [[*columns], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
