"""Draw the business dates of a job as a calendar: a row per weekday, a column per week. Pure: runs in, lines out.

It is for backfills with more dates than a screen has rows. Dates are written as `--biz-dates` takes them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from rich.text import Text

from headgate import pb
from headgate_cli.views.date_ranges import fitting, ranges
from headgate_cli.views.output import clean

FEWEST_DATES = 60
"""A job of fewer dates needs no calendar: its runs have a row each."""

_HEAD = 5
_LEGEND = 20
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LOOKS: Mapping[str, tuple[str, str]] = {
    "succeeded": ("▇", "green"),
    "running": ("▒", "cyan"),
    "blocked": ("░", "yellow"),
    "waiting": ("·", "dim"),
    "skipped": ("–", "dim"),
    "stopped": ("■", "yellow"),
    "unresolved": ("?", "bold red"),
    "failed": ("✘", "bold red"),
}
"""Glyph and colour of a date by how it stands; where a date has several runs, the later row is shown."""

_RANK = {word: rank for rank, word in enumerate(_LOOKS)}
_ENDED = {
    pb.RUN_STATE_SUCCEEDED: "succeeded",
    pb.RUN_STATE_FAILED: "failed",
    pb.RUN_STATE_STOPPED: "stopped",
    pb.RUN_STATE_SKIPPED: "skipped",
    pb.RUN_STATE_UNRESOLVED: "unresolved",
}
_GOING_ON = {
    pb.RUN_STATE_STARTING: "running",
    pb.RUN_STATE_RUNNING: "running",
    pb.RUN_STATE_BLOCKED: "blocked",
}
_PACES = ((1.0, "a second"), (60.0, "a minute"), (3600.0, "an hour"))


def block(runs: Sequence[pb.InstanceRun], seconds: float, width: int) -> Sequence[Text]:
    """Draw the calendar and name dates below it; nothing where they are few, or their weeks do not fit.

    The counts of each state stand beside it, or below it where there is no room beside.
    """
    days = _standing(runs)
    if len(days) < FEWEST_DATES or _HEAD + _weeks(days) > width:
        return ()
    if _HEAD + _weeks(days) + _LEGEND <= width:
        return [*lines(runs, seconds), *names(runs, width)]
    return [*_rows(days), *_wrapped(_beside(runs, days, seconds), width), *names(runs, width)]


def lines(runs: Sequence[pb.InstanceRun], seconds: float) -> Sequence[Text]:
    """Draw a calendar of the runs, and beside it how many stand how, after so many seconds."""
    days = _standing(runs)
    rows = _rows(days)
    edge = _HEAD + _weeks(days) + 2
    beside = _beside(runs, days, seconds)
    rows = [*rows, *(Text() for _ in beside[len(rows) :])]
    for row, text in zip(rows, beside, strict=False):
        row.append(" " * (edge - len(row))).append_text(text)
    return rows


def names(runs: Sequence[pb.InstanceRun], width: int) -> Iterator[Text]:
    """Name the dates that run, and those that failed with the task that did, as many as fit into a line."""
    days = _standing(runs)
    running = ranges(day for day, word in days.items() if word == "running")
    failed = [_failure(run) for run in runs if run.state == pb.RUN_STATE_FAILED]
    for word, found in (("running", running), ("failed", failed)):
        if found:
            line = Text.assemble((word.ljust(9), "dim"), (fitting(found, width - 9), _LOOKS[word][1]))
            line.truncate(width, overflow="ellipsis")
            yield line


def _rows(days: Mapping[date, str]) -> Sequence[Text]:
    return [_months(days), *(_weekday(days, number) for number in range(7))]


def _beside(runs: Sequence[pb.InstanceRun], days: Mapping[date, str], seconds: float) -> Sequence[Text]:
    """The pace, and how many dates stand how."""
    return [_pace(runs, seconds), *_counts(days)]


def _wrapped(parts: Sequence[Text], width: int) -> Sequence[Text]:
    """Texts side by side, in as many lines as they need."""
    found: list[Text] = []
    for part in filter(None, parts):
        if found and len(found[-1]) + len(part) + 2 <= width:
            found[-1].append("  ").append_text(part)
        else:
            found.append(part)
    return found


def _standing(runs: Iterable[pb.InstanceRun]) -> Mapping[date, str]:
    """How each date stands, in the order of the dates."""
    found: dict[date, str] = {}
    for run in runs:
        if run.biz_date.year:
            day = date(run.biz_date.year, run.biz_date.month, run.biz_date.day)
            found[day] = max(_word(run), found.get(day, "succeeded"), key=_RANK.__getitem__)
    return dict(sorted(found.items()))


def _word(run: pb.InstanceRun) -> str:
    return _ENDED.get(run.state) or _GOING_ON.get(run.state, "waiting")


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _weeks(days: Mapping[date, str]) -> int:
    return (_monday(max(days)) - _monday(min(days))).days // 7 + 1


def _months(days: Mapping[date, str]) -> Text:
    """The names of the months, each over the week that has its first day."""
    text = Text(" " * _HEAD, style="dim")
    first = _monday(min(days))
    for week in range(_weeks(days)):
        last = min(first + timedelta(days=7 * week + 6), max(days))
        if last.day <= 7 and len(text) <= _HEAD + week:
            text.append(" " * (_HEAD + week - len(text)) + _MONTHS[last.month - 1])
    return text


def _weekday(days: Mapping[date, str], number: int) -> Text:
    text = Text.assemble((_WEEKDAYS[number].ljust(_HEAD), "dim"))
    first = _monday(min(days)) + timedelta(days=number)
    for week in range(_weeks(days)):
        word = days.get(first + timedelta(days=7 * week))
        text.append(*(_LOOKS[word] if word else (" ", "")))
    return text


def _counts(days: Mapping[date, str]) -> Iterator[Text]:
    counts = Counter(days.values())
    for word, look in _LOOKS.items():
        if counts[word]:
            yield Text.assemble(look, f"{counts[word]:>4} {word}")


def _pace(runs: Sequence[pb.InstanceRun], seconds: float) -> Text:
    """How many dates that were not left alone have ended in a unit of time: the smallest in which one has."""
    ended = sum(run.state in _ENDED and run.state != pb.RUN_STATE_SKIPPED for run in runs) / max(seconds, 1e-3)
    span, unit = next((pace for pace in _PACES if ended * pace[0] >= 1), _PACES[-1])
    return Text(f"{ended * span:.1f} dates {unit}" if ended else "", style="bold")


def _failure(run: pb.InstanceRun) -> str:
    day = run.biz_date
    return f"{day.year:04}-{day.month:02}-{day.day:02} {clean(run.failure_digest.task_name)}".rstrip()
