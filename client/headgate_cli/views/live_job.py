"""The live view of a job at a terminal: what it is, a lane per run or a calendar of many, the last event."""

import time
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_cli.views import calendar
from headgate_cli.views.describe import (
    day,
    end_said,
    event_line,
    instance,
    job_state,
    run_detail,
    run_state,
    styled,
    subject,
)
from headgate_cli.views.outlook import MOST_CAUSES, cause_lines, span_said
from headgate_cli.views.timeline import RunLane, Timeline, after_event, after_snapshot, bar, ordered, worked
from headgate_client import EventItem, SnapshotItem, WatchItem

_OTHER_LINES = 7
_GUTTER = 2
_DATE_WIDTH = 10
_LEAST_LANES = 4
_LEAST_NAME = 8
_STATE_WIDTH = 13
_RAN_WIDTH = 8
_DETAIL_WIDTH = 32
_NARROWEST_BAR = 12
_WIDEST_BAR = 48
_MARKS = {
    "succeeded": "✔",
    "failed": "✘",
    "running": "▶",
    "starting": "▷",
    "blocked": "◌",
    "stopped": "■",
    "skipped": "–",
    "unresolved": "?",
}


class LiveJob:
    """Draws itself anew whenever it is asked; fed by `show`."""

    def __init__(self) -> None:
        self._job = pb.Job()
        self._timeline = Timeline()
        self._received = time.monotonic()
        self._last = Text()
        self._trouble = ""
        self._frozen = False
        self._causes: Sequence[pb.Cause] = ()
        self._end = (-1, "")

    @property
    def stands(self) -> bool:
        """Whether there is something to explain: a job of many dates that has not ended."""
        return len(self._job.runs) >= calendar.FEWEST_DATES and self._job.state not in JOB_TERMINAL

    def explain(self, causes: Sequence[pb.Cause]) -> None:
        """Take in why the job is not further."""
        self._causes = tuple(causes)

    def show(self, item: WatchItem, job: pb.Job | None) -> None:
        """Take in one item; `job` is the job after it."""
        self._trouble = ""
        self._job = job or self._job
        if isinstance(item, SnapshotItem):
            self._timeline = after_snapshot(item.job)
        elif isinstance(item, EventItem):
            self._timeline = after_event(self._timeline, item.event)
            self._last = event_line(item.event)
        else:
            return
        self._received = time.monotonic()

    def reconnecting(self, cause: str, delay: float) -> None:
        """Take in that the stream was lost."""
        self._trouble = f"lost the stream ({cause}); coming back in {delay:.1f} s"

    def freeze(self) -> None:
        """Let time stand still: nothing more will come."""
        self._frozen = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        now = self._now()
        lanes = ordered(self._timeline)
        dates = self._dates(options.size.height - _OTHER_LINES, options.max_width, now)
        room = options.size.height - _OTHER_LINES - len(dates)
        shown = _most_telling(lanes, max(2 if dates else _LEAST_LANES, room))
        last = self._last.copy()
        last.truncate(options.max_width, overflow="ellipsis")
        yield Group(
            self._title(now, options.max_width),
            Text(self._end_said(now, options.max_width), style="dim"),
            *dates,
            self._table(shown, now, 0 if dates else self._cells(shown, options.max_width)),
            *([Text(f"and {len(lanes) - len(shown)} more runs", style="dim")] if len(shown) < len(lanes) else []),
            Text(),
            Text(self._trouble, style="yellow") if self._trouble else last,
        )

    def _now(self) -> float:
        # The store's clock, carried on by this machine's, so that the two never need to agree.
        return self._timeline.last + (0.0 if self._frozen else time.monotonic() - self._received)

    def _title(self, now: float, width: int) -> Text:
        counts = self._job.counts
        done = f"  {counts.succeeded}/{counts.total} succeeded" if counts.total else ""
        begin = self._timeline.begin
        elapsed = f"  {_elapsed(now - begin)}" if begin else ""
        name = (self._job.name or "waiting for the job", "bold")
        text = Text.assemble(name, "  ", styled(job_state(self._job)), f"  {subject(self._job)}{done}{elapsed}")
        text.truncate(width, overflow="ellipsis")
        return text

    def _dates(self, room: int, width: int, now: float) -> Sequence[Text]:
        """A calendar instead of bars, where there are more dates than rows for them."""
        runs = [lane.run for lane in ordered(self._timeline)]
        block = calendar.block(runs, now - self._timeline.begin, width) if len(runs) > room else ()
        if not block:
            return ()
        left = max(1, room - len(block) - 1 - _LEAST_LANES)
        causes = cause_lines(self._causes, width, min(MOST_CAUSES, left)) if self.stands else ()
        return [*block, *causes, Text()]

    def _end_said(self, now: float, width: int) -> str:
        """When it will be over, reckoned once a second: a year takes some milliseconds."""
        if self._end[0] != int(now):
            self._end = int(now), end_said(self._job, now, width)
        return self._end[1]

    def _cells(self, lanes: Sequence[RunLane], width: int) -> int:
        """How wide a bar may be."""
        fixed = _DATE_WIDTH + _name_width(lanes) + _STATE_WIDTH + _RAN_WIDTH + 5 * _GUTTER
        return min(_WIDEST_BAR, max(_NARROWEST_BAR, width - fixed - _DETAIL_WIDTH))

    def _table(self, lanes: Sequence[RunLane], now: float, cells: int) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GUTTER, 0, 0))
        table.add_column("biz date", min_width=_DATE_WIDTH, no_wrap=True)
        table.add_column("instance", min_width=_name_width(lanes), no_wrap=True)
        table.add_column("state", min_width=_STATE_WIDTH, no_wrap=True)
        if cells:
            table.add_column(_scale(now - self._timeline.begin, cells), min_width=cells, no_wrap=True)
        table.add_column("ran", justify="right", min_width=_RAN_WIDTH, no_wrap=True)
        table.add_column("", no_wrap=True, overflow="ellipsis")
        for lane in lanes:
            table.add_row(*self._row(lane, now, cells))
        return table

    def _row(self, lane: RunLane, now: float, cells: int) -> tuple[str | Text, ...]:
        word = run_state(lane.run)
        state = styled(word)
        seconds = worked(lane, now)
        return (
            day(lane.run.biz_date) or "–",
            instance(lane.run) or "–",
            Text(f"{_MARKS.get(word, '·')} ", style=state.style) + state,
            *([bar(lane, self._timeline.begin, now, cells)] if cells else []),
            f"{seconds:.1f} s" if seconds else "",
            Text(run_detail(lane.run), style="dim"),
        )


def _elapsed(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else span_said(seconds)


def _name_width(lanes: Sequence[RunLane]) -> int:
    return max(_LEAST_NAME, *(len(instance(lane.run)) for lane in lanes), 0)


def _scale(seconds: float, cells: int) -> str:
    end = f"{max(seconds, 0):.0f} s"
    return "0" + end.rjust(cells - 1)


def _most_telling(lanes: Sequence[RunLane], room: int) -> Sequence[RunLane]:
    """Choose what to show of many: what goes on and what went wrong first, then what was last to end."""
    if len(lanes) <= room:
        return lanes
    telling = sorted(lanes, key=_dullness)[:room]
    return sorted(telling, key=lambda lane: lane.run.index)


def _dullness(lane: RunLane) -> tuple[int, float]:
    order = {
        pb.RUN_STATE_RUNNING: 0,
        pb.RUN_STATE_STARTING: 0,
        pb.RUN_STATE_FAILED: 1,
        pb.RUN_STATE_UNRESOLVED: 1,
        pb.RUN_STATE_BLOCKED: 2,
        pb.RUN_STATE_CREATED: 3,
    }
    since = lane.spans[-1].start if lane.spans else 0.0
    return order.get(lane.run.state, 4), -since if lane.is_ended else lane.run.index
