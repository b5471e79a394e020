"""Write a screen of text as SVG: one file that asks no other host for anything, dark on any page.

Bars are drawn as rectangles, so that they look the same whatever font the reader has. Text has the length of its cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

CELL = 8.4
LINE = 18
EDGE = 14
_SIZE = 14
_BASE = 13  # from the top of a line to the foot of its letters
_FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
_BACKGROUND = (13, 17, 23)
_FOREGROUND = (230, 237, 243)
_THEME = TerminalTheme(
    _BACKGROUND,
    _FOREGROUND,
    [  # black, red, green, yellow, blue, magenta, cyan, white
        *((72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34)),
        *((88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)),
    ],
)
_BLOCKS: Mapping[str, tuple[float, float, float, float, float]] = {
    "█": (0, 0.06, 1, 0.88, 1),
    "▌": (0, 0.06, 0.5, 0.88, 1),
    "▇": (0, 0.1, 0.85, 0.8, 1),
    "▒": (0, 0.06, 1, 0.88, 0.65),
    "░": (0, 0.06, 1, 0.88, 0.35),
}
"""Left, top, width and height in shares of a cell, and opacity; rows and dates stand apart by a hair."""

_APART = "▇"
_PIECES = re.compile(rf"([{''.join(_BLOCKS)}])\1*|[^\s{''.join(_BLOCKS)}]+(?: [^\s{''.join(_BLOCKS)}]+)*")


def picture(lines: Sequence[Text], columns: int, title: str) -> str:
    """The lines as a picture of so many columns; `title` is for those who do not see it."""
    width, height = round(columns * CELL + 2 * EDGE), len(lines) * LINE + 2 * EDGE
    drawn = [piece for row, line in enumerate(lines) for piece in _line(line, EDGE + row * LINE)]
    return "\n".join([*_frame(width, height, title), *drawn, "</svg>", ""])


def _frame(width: int, height: int, title: str) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="{_FONTS}" font-size="{_SIZE}" fill="{_hex(_FOREGROUND)}">'
    )
    yield f"<title>{escape(title)}</title>"
    yield "<style>.bar{shape-rendering:crispEdges}</style>"
    size = f'x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"'
    yield f'<rect {size} fill="{_hex(_BACKGROUND)}" stroke="#30363d"/>'


def _line(line: Text, top: int) -> Iterator[str]:
    column = 0
    for segment in line.render(Console(width=1000, color_system=None), end=""):
        style = segment.style or Style()
        if style.reverse:
            yield _block("█", column, top, len(segment.text), _colour(style))
        for piece in _PIECES.finditer(segment.text):
            yield _piece(piece, column + piece.start(), top, style)
        column += len(segment.text)


def _piece(piece: re.Match[str], column: int, top: int, style: Style) -> str:
    glyph, text = piece.group(1), piece.group()
    if glyph == _APART:
        return "".join(_block(glyph, column + place, top, 1, _colour(style)) for place in range(len(text)))
    return _block(glyph, column, top, len(text), _colour(style)) if glyph else _text(text, column, top, style)


def _block(glyph: str, column: int, top: int, count: int, colour: str) -> str:
    left, down, wide, high, opacity = _BLOCKS[glyph]
    faint = f' opacity="{opacity:g}"' if opacity < 1 else ""
    x, y = EDGE + (column + left) * CELL, top + down * LINE
    width = (count - 1 + wide) * CELL
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{high * LINE:.1f}"'
    return f'<rect class="bar" {place} fill="{colour}"{faint}/>'


def _text(text: str, column: int, top: int, style: Style) -> str:
    looks = ' font-weight="bold"' if style.bold else ""
    looks += ' opacity=".6"' if style.dim else ""
    colour = _hex(_BACKGROUND) if style.reverse else _colour(style)
    looks += f' fill="{colour}"' if colour != _hex(_FOREGROUND) else ""
    place = f'x="{EDGE + column * CELL:.1f}" y="{top + _BASE}" textLength="{len(text) * CELL:.1f}"'
    return f'<text {place} lengthAdjust="spacingAndGlyphs"{looks}>{escape(text)}</text>'


def _colour(style: Style) -> str:
    return _hex(style.color.get_truecolor(_THEME)) if style.color else _hex(_FOREGROUND)


def _hex(colour: Sequence[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
