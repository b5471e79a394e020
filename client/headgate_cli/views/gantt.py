"""Draw a chart of a job's log as text of a given width. Pure: a chart and a time in, lines out."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.text import Text

from headgate import pb
from headgate_cli.views import calendar
from headgate_cli.views.chart import Bar, Chart, eta
from headgate_cli.views.describe import end_said, instance, job_state, styled, subject
from headgate_cli.views.outlook import span_said, time_of_day

NARROWEST = 40
"""Narrowest chart that is drawn."""

MOST_LANES = 20
"""Most lanes that are drawn."""

_HEAD = 9
_BODY: Mapping[int, tuple[str, str]] = {pb.RUN_STATE_SUCCEEDED: ("█", "green"), pb.RUN_STATE_FAILED: ("█", "red")}
_RUNNING = ("▒", "cyan")
_OTHER = ("█", "yellow")
_ENDS: Mapping[int, str] = {pb.RUN_STATE_FAILED: "✘", pb.RUN_STATE_STOPPED: "■", pb.RUN_STATE_UNRESOLVED: "?"}
_LEGEND = {"q": "q waited for quota", "r": "r tried again", "!": "! see the log"}
_LOUDEST = "!rq"
_OTHERS = ("failed", "running", "blocked", "waiting", "stopped", "skipped")


def lines(chart: Chart, width: int, now: float, height: int | None = None) -> Sequence[Text]:
    """Draw the chart at most `width` cells wide, as it is at `now` (seconds since 1970).

    Where there are many dates, and room in `height`, a calendar of them stands before the lanes.
    """
    width = max(width, NARROWEST)
    end = max(chart.last if chart.is_over else max(now, chart.last), chart.begin + 1e-3)
    drawn = _chart(chart, _Scale(chart.begin, end, width - _HEAD), width, now)
    dates = calendar.block(chart.job.runs, end - chart.begin, width)
    room = len(drawn) + len(dates) + 1 if height is None else height
    return [_title(chart, width), *(dates if len(drawn) + len(dates) < room else []), *drawn]


def _chart(chart: Chart, scale: "_Scale", width: int, now: float) -> Sequence[Text]:
    return [
        _ruler(scale),
        *_lanes(chart, scale),
        *_row("blocked", scale, lambda start, stop: _crowd(chart, start, stop), "yellow", bool(chart.blocked)),
        *_row("marks", scale, lambda start, stop: _mark(chart, start, stop), "magenta", bool(chart.marks)),
        *_outlook(chart, now, width),
        *_legend(chart, width),
    ]


class _Scale:
    """Cells of time."""

    def __init__(self, begin: float, end: float, cells: int) -> None:
        self.begin = begin
        self.end = end
        self.cells = cells
        self.step = (end - begin) / cells

    def cell(self, moment: float) -> int:
        return min(self.cells - 1, max(0, int((moment - self.begin) / self.step)))

    def edges(self) -> Iterator[tuple[float, float]]:
        return ((self.begin + n * self.step, self.begin + (n + 1) * self.step) for n in range(self.cells))


def _title(chart: Chart, width: int) -> Text:
    job = chart.job
    text = Text.assemble((job.name, "bold"), "  ", styled(job_state(job)), f"  {subject(job)}  rev {job.revision}")
    text.truncate(width, overflow="ellipsis")
    return text


def _ruler(scale: _Scale) -> Text:
    first, last = time_of_day(scale.begin), time_of_day(scale.end)
    return Text(" " * _HEAD + first + last.rjust(scale.cells - len(first)), style="dim")


def _lanes(chart: Chart, scale: _Scale) -> Iterator[Text]:
    for number, lane in enumerate(chart.lanes[:MOST_LANES], 1):
        yield Text.assemble((f"lane {number}".ljust(_HEAD), "dim"), _lane(lane, scale))
    if len(chart.lanes) > MOST_LANES:
        yield Text(f"and {len(chart.lanes) - MOST_LANES} more lanes", style="dim")


def _lane(lane: Sequence[Bar], scale: _Scale) -> Text:
    text = Text()
    for bar, following in zip(lane, [*lane[1:], None], strict=True):
        first = max(scale.cell(bar.start), len(text))
        last = scale.cells - 1 if bar.end is None else scale.cell(bar.end)
        if following is not None:
            last = min(last, scale.cell(following.start) - 1)  # each bar keeps a cell of its own where there is room
        if last < first and following is not None:
            text = _signed(text, bar)
            continue
        text.append(" " * (first - len(text)))
        text.append_text(_bar(bar, min(max(first, last), scale.cells - 1) - first + 1))
    return text


def _signed(text: Text, bar: Bar) -> Text:
    """What is drawn so far, with the sign of a bar that has no cell of its own and is not to be missed."""
    if bar.end is None or bar.ending not in _ENDS:
        return text
    style = _BODY.get(bar.ending, _OTHER)[1]
    return Text.assemble(text[:-1], (_ENDS[bar.ending], style))


def _bar(bar: Bar, cells: int) -> Text:
    glyph, style = _RUNNING if bar.end is None else _BODY.get(bar.ending, _OTHER)
    sign = "" if bar.end is None else _ENDS.get(bar.ending, "▌")
    label = _label(bar)
    body = cells - len(sign)
    if body >= len(label) + 2:
        left = (body - len(label)) // 2
        return Text.assemble(
            (glyph * left, style), (label, f"{style} reverse"), (glyph * (body - left - len(label)) + sign, style)
        )
    return Text(glyph * body + sign, style=style) if body > 0 else Text(sign or glyph, style=style)


def _label(bar: Bar) -> str:
    date = bar.run.biz_date
    return f"{date.month:02}-{date.day:02}" if date.year else instance(bar.run)[-6:]


def _row(name: str, scale: _Scale, draw: Callable[[float, float], str], style: str, wanted: bool) -> Iterator[Text]:
    if wanted:
        cells = "".join(draw(start, stop) for start, stop in scale.edges())
        yield Text.assemble((name.ljust(_HEAD), "dim"), (cells.rstrip(), style))


def _crowd(chart: Chart, start: float, stop: float) -> str:
    """How many runs were blocked in the middle of a cell."""
    middle = (start + stop) / 2
    count = sum(begin <= middle and (end is None or middle < end) for begin, end in chart.blocked)
    return " " if not count else str(count) if count < 10 else "+"


def _mark(chart: Chart, start: float, stop: float) -> str:
    """The loudest mark of a cell; what happened at the very end belongs to the last one."""
    last = stop >= chart.last
    signs = {mark.sign for mark in chart.marks if start <= mark.moment < stop or (last and mark.moment == stop)}
    return next((sign for sign in _LOUDEST if sign in signs), " ")


def _outlook(chart: Chart, now: float, width: int) -> Iterator[Text]:
    counts = chart.job.counts
    numbers = {name: getattr(counts, name) for name in _OTHERS}
    others = [f"{number} {name}" for name, number in numbers.items() if number]
    standing = Text(", ".join([f"{counts.succeeded}/{counts.total} succeeded", *others]))
    said = f"took {span_said(chart.last - chart.begin)}" if chart.is_over else _end_said(chart, now, width)
    gap = 2 if said else 0
    if len(standing) + gap + len(said) <= width:
        yield Text.assemble(standing, " " * gap, (said, "bold"))
    else:
        yield from (standing, Text(said, style="bold"))


def _end_said(chart: Chart, now: float, width: int) -> str:
    """When the job will be over; nothing where that is not known."""
    if said := end_said(chart.job, now, width):
        return said
    end = eta(chart, now)
    return f"over about {time_of_day(end)}, in {span_said(end - now)}" if end is not None else ""


def _legend(chart: Chart, width: int) -> Iterator[Text]:
    signs = {mark.sign for mark in chart.marks}
    parts = ["blocked: how many wait for a parent"] if chart.blocked else []
    parts += [meaning for sign, meaning in _LEGEND.items() if sign in signs]
    whole = "; ".join(parts)
    yield from (Text(line, style="dim") for line in ([whole] if 0 < len(whole) <= width else parts))
