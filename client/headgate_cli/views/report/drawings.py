"""The two drawings of a report's page, as SVG without scripts: a calendar of its dates, and who ran when in lanes.

Coordinates are in pixels. Colours are classes of the page's style sheet, so that they follow light and dark.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape

from headgate import pb
from headgate_cli.input.enums import plain
from headgate_cli.views.describe import when
from headgate_cli.views.report.rows import ReportRow, rows

CLASSES = {
    pb.RUN_STATE_SUCCEEDED: "good",
    pb.RUN_STATE_FAILED: "bad",
    pb.RUN_STATE_UNRESOLVED: "bad",
    pb.RUN_STATE_STOPPED: "odd",
}
"""Class of a date by its state; others have not run."""

_SIGNS = {"good": "", "left": "=", "bad": "×", "odd": "!", "none": "–"}
"""What stands in a date besides its colour."""

_CELL = 15
_GAP = 3
_LEFT = 34
_TOP = 18
_WIDTH = 1_000
_NARROWEST = 120
_LANE = 14
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "", "Wed", "", "Fri", "", "Sun")
_TICKS = 8
MOST_LANES = 60
"""Most lanes that are drawn; instances that have no room are counted below."""


def calendar(report: pb.JobReport) -> str:
    """Return the calendar of the dates; empty where there are none."""
    days = {date(one.biz_date.year, one.biz_date.month, one.biz_date.day): one for one in report.dates}
    if not days:
        return ""
    first = min(days) - timedelta(days=min(days).weekday())
    weeks = (max(days) - first).days // 7 + 1
    width, height = max(_LEFT + weeks * (_CELL + _GAP), _NARROWEST), _TOP + 7 * (_CELL + _GAP)
    cells = "".join(_cell(day, days[day], first) for day in sorted(days))
    return _svg(width, height, f"A calendar of {len(days)} dates", "".join((*_names(first, max(days)), cells)))


def _names(first: date, last: date) -> Iterator[str]:
    for number, name in enumerate(_WEEKDAYS):
        if name:
            yield _text(0, _TOP + number * (_CELL + _GAP) + _CELL - 3, name)
    free = 0
    for week in range((last - first).days // 7 + 1):
        day = min(first + timedelta(days=7 * week + 6), last)
        if (day.day <= 7 or week == 0) and week >= free:
            year = f" {day.year}" if day.month == 1 or week == 0 else ""
            yield _text(_LEFT + week * (_CELL + _GAP), _TOP - 6, f"{_MONTHS[day.month - 1]}{year}")
            free = week + (3 if year else 2)


def _cell(day: date, one: pb.DateReport, first: date) -> str:
    x = _LEFT + (day - first).days // 7 * (_CELL + _GAP)
    y = _TOP + day.weekday() * (_CELL + _GAP)
    look = looks(one)
    marked = " marked" if one.has_objection else ""
    said = f"{day}: {standing(one)}{', see what is not so' if one.has_objection else ''}"
    box = f'<rect class="{look}{marked}" x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" rx="3"/>'
    sign = "!" if one.has_objection and look in ("good", "left") else _SIGNS[look]
    return f"<g><title>{escape(said)}</title>{box}{_sign(x, y, sign)}</g>"


def _sign(x: int, y: int, sign: str) -> str:
    return f'<text class="sign" x="{x + _CELL / 2}" y="{y + _CELL - 3.5}">{sign}</text>' if sign else ""


def looks(one: pb.DateReport) -> str:
    """Return the class of a date."""
    return "left" if one.left_alone else CLASSES.get(one.state, "none")


def standing(one: pb.DateReport) -> str:
    """Return where a date stands, in plain words."""
    return "left alone" if one.left_alone else plain(one.state, pb.RunState, "RUN_STATE_")


@dataclass(frozen=True, slots=True)
class _Bar:
    """An instance that ran, in seconds since 1970."""

    begin: float
    end: float
    row: ReportRow


def lanes(report: pb.JobReport) -> str:
    """Return who ran when, in as few lanes as that needs; empty where no instance has run to an end."""
    bars = sorted(_bars(report), key=lambda bar: (bar.begin, bar.row.day))
    if not bars:
        return ""
    begin = min(bar.begin for bar in bars)
    scale = (_WIDTH - 2) / max(max(bar.end for bar in bars) - begin, 1e-3)
    placed = _placed(bars)
    shown = [(lane, bar) for lane, bar in placed if lane < MOST_LANES]
    height = _TOP + (max(lane for lane, _ in shown) + 1) * (_LANE + _GAP)
    drawn = "".join(_bar(bar, lane, begin, scale) for lane, bar in shown)
    left = len(placed) - len(shown)
    said = f"When {len(shown)} instances ran" + (f"; {left} more have no room here" if left else "")
    return _svg(_WIDTH, height, said, "".join((*_ruler(begin, scale, height), drawn)))


def _bars(report: pb.JobReport) -> Iterator[_Bar]:
    for row in rows(report):
        if row.began is not None and row.ended is not None and row.state not in ("earlier", "left alone"):
            begin, end = row.began.ToNanoseconds() / 1e9, row.ended.ToNanoseconds() / 1e9
            if end >= begin:
                yield _Bar(begin, end, row)


def _placed(bars: Sequence[_Bar]) -> Sequence[tuple[int, _Bar]]:
    """Each bar with the first lane that is free by then."""
    ends: list[float] = []
    placed = []
    for bar in bars:
        lane = next((number for number, end in enumerate(ends) if end <= bar.begin), len(ends))
        ends[lane:] = [bar.end, *ends[lane + 1 :]]
        placed.append((lane, bar))
    return placed


_BAR_CLASSES = {"succeeded": "good", "failed": "bad", "unresolved": "bad", "stopped": "odd", "foreign": "foreign"}


def _bar(bar: _Bar, lane: int, begin: float, scale: float) -> str:
    row = bar.row
    x, width = 1 + (bar.begin - begin) * scale, max((bar.end - bar.begin) * scale, 1.5)
    y = _TOP + lane * (_LANE + _GAP)
    tries = f", try {row.attempt}" if row.attempt > 1 else ""
    began, ended = (when(moment) for moment in (row.began, row.ended) if moment is not None)
    said = f"{row.day} instance {row.instance}{tries}: {row.state}, {began} to {ended}, {row.took}"
    look = _BAR_CLASSES.get(row.state, "none")
    box = f'<rect class="{look}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_LANE}" rx="2"/>'
    name = f'<text class="sign" x="{x + width / 2:.1f}" y="{y + _LANE - 3.5}">{row.day[5:]}</text>'
    return f"<g><title>{escape(said)}</title>{box}{name if width > 36 else ''}</g>"


def _ruler(begin: float, scale: float, height: int) -> Iterator[str]:
    for number in range(_TICKS):
        x = 1 + number * (_WIDTH - 2) / _TICKS
        moment = pb.ReportNote().event_time
        moment.FromNanoseconds(int((begin + (x - 1) / scale) * 1e9))
        yield f'<line class="tick" x1="{x:.1f}" y1="{_TOP - 4}" x2="{x:.1f}" y2="{height}"/>'
        yield _text(x + 2, _TOP - 7, when(moment)[5 if number == 0 else 11 :])


def _text(x: float, y: float, said: str) -> str:
    return f'<text x="{x:g}" y="{y:g}">{escape(said)}</text>'


def _svg(width: int, height: int, said: str, inside: str) -> str:
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg role="img" aria-label="{escape(said)}" {box} xmlns="http://www.w3.org/2000/svg">{inside}</svg>'
