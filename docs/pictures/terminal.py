"""Run a command at a terminal of its own and read what stands on its screen at the end, colours included.

It understands what rich writes: colours, lines that are cleared, and the cursor that goes up to draw a picture anew.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence

from rich.ansi import AnsiDecoder
from rich.text import Text

COLUMNS = 100
ROWS = 50

_MOVES = re.compile(r"\x1b\[\?25[hl]|\x1b\[2K|\x1b\[\d*A|\r|\n")


def screen(command: Sequence[str], environment: Mapping[str, str], rows: int = ROWS) -> Sequence[Text]:
    """Run the command to its end at a terminal of so many rows, and return the lines that it leaves."""
    decoder = AnsiDecoder()
    return [decoder.decode_line(line) for line in _left(_written(command, environment, rows))]


def _written(command: Sequence[str], environment: Mapping[str, str], rows: int) -> str:
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, COLUMNS, 0, 0))
    looks = {"TERM": "xterm", "TZ": "UTC", "COLUMNS": str(COLUMNS), "LINES": str(rows)}
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORTERM")}
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env={**kept, **looks, **environment})
    os.close(inner)
    try:
        return b"".join(_pieces(outer)).decode()
    finally:
        process.wait()
        os.close(outer)


def _pieces(outer: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(outer, 65536)
        except OSError:  # how Linux tells that the other end was closed
            return
        if not piece:
            return
        yield piece


def _left(written: str) -> Sequence[str]:
    """What stands on the screen after all of this was written to it."""
    lines, row, place = [""], 0, 0
    for move in _MOVES.finditer(written):
        lines[row] += written[place : move.start()]
        place = move.end()
        if move.group() == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif move.group() == "\x1b[2K":
            lines[row] = ""
        elif move.group().endswith("A"):
            row = max(0, row - int(move.group()[2:-1] or 1))
    lines[row] += written[place:]
    return lines
