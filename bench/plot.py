"""A drawing of all goals: how far each figure is on the good or the bad side of its bound, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.figures import Figure, Result
from bench.report import number, shown

WIDTH, LEFT, LINE, TOP = 980, 520, 20, 40
SPAN = 10.0
"""Margins from 1/10 to 10 are drawn to scale; what lies beyond ends at the edge."""


def svg(results: Sequence[Result]) -> str:
    """The drawing as SVG."""
    rows = [(result.id, figure) for result in results for figure in result.figures if figure.goal is not None]
    height = TOP + LINE * len(rows) + 30
    parts = [_head(height), _axis(height)]
    parts += [_row(index, row, figure) for index, (row, figure) in enumerate(rows)]
    return "\n".join([*parts, "</svg>", ""])


def _head(height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="11">\n<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        f'<text x="10" y="18" font-size="13">Distance of each figure from its goal; right of the line it holds</text>'
    )


def _axis(height: int) -> str:
    lines = []
    for margin, label in ((0.1, "10 times worse"), (0.5, "2"), (1.0, "goal"), (2.0, "2"), (10.0, "10 times better")):
        x = place(margin)
        colour = "#333" if margin == 1 else "#ddd"
        lines.append(f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - 22}" stroke="{colour}"/>')
        lines.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle" fill="#555">{label}</text>')
    return "\n".join(lines)


def place(margin: float) -> float:
    """Where a margin stands, in units of the drawing."""
    share = math.log10(min(SPAN, max(1 / SPAN, margin))) / math.log10(SPAN)
    middle = (LEFT + WIDTH - 60) / 2
    return middle + share * (WIDTH - 60 - LEFT) / 2


def _row(index: int, row: str, figure: Figure) -> str:
    if figure.goal is None:
        raise ValueError("only figures with a goal are drawn")
    y = TOP + LINE * index
    ends = sorted(place(figure.goal.margin(value)) for value in (min(figure.samples), max(figure.samples)))
    start, end = sorted((place(1.0), place(figure.goal.margin(figure.median))))
    colour = "#2f7d4f" if figure.holds else "#c0392b"
    label = escape(
        f"{row}  {figure.what}: {shown(figure)} (goal {figure.goal.sense.value} {number(figure.goal.bound)})"
    )
    return (
        f'<text x="10" y="{y + 13}">{label}</text>\n'
        f'<rect x="{start:.1f}" y="{y + 4}" width="{max(1.0, end - start):.1f}" height="11" fill="{colour}"/>\n'
        f'<line x1="{ends[0]:.1f}" y1="{y + 9}" x2="{ends[1]:.1f}" y2="{y + 9}" stroke="black"/>'
    )
