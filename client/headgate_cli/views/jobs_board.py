"""The live view of many jobs at a terminal: a row per job, active ones first. Bounded, however many there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from headgate import pb
from headgate.job.event_log import fold
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_cli.views.describe import clock, event_facts, event_kind, job_state, kind, styled
from headgate_cli.views.output import clean

MOST_JOBS = 500
"""Most jobs that are remembered; the one that ended first is forgotten first, then the one heard of first."""

_OTHER_LINES = 5
_NARROWEST_NEWS = 20
_FIXED_WIDTH = 66
_COLUMNS = ("job", "state", "kind", "runs", "failed", "rev", "last event")


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A job as it stands, and the last thing that happened to it."""

    job: pb.Job
    news: str = ""


class JobsBoard:
    """Draws itself anew whenever it is asked; fed by `show`."""

    def __init__(self) -> None:
        self._lines: dict[str, BoardRow] = {}
        self._trouble = ""
        self._filled = False

    def show(self, message: pb.WatchJobResponse) -> None:
        """Take in one message of the feed."""
        self._trouble = ""
        self._filled = True
        line = _after(self._lines.pop(message.job, None), message)
        if line is None:
            return
        self._lines[message.job] = line
        if len(self._lines) > MOST_JOBS:
            ended = (name for name, line in self._lines.items() if line.job.state in JOB_TERMINAL)
            del self._lines[next(ended, next(iter(self._lines)))]

    def reconnecting(self, cause: str, delay: float) -> None:
        """Take in that the stream was lost."""
        self._trouble = f"lost the stream ({cause}); coming back in {delay:.1f} s"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        lines = self._ordered()
        room = max(3, options.size.height - _OTHER_LINES)
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for column in _COLUMNS[:-1]:
            table.add_column(column, no_wrap=True)
        width = max(_NARROWEST_NEWS, options.max_width - _FIXED_WIDTH)
        table.add_column(_COLUMNS[-1], no_wrap=True, overflow="ellipsis", max_width=width)
        for line in lines[:room]:
            table.add_row(*_row(line))
        more = [Text(f"and {len(lines) - room} more", style="dim")] if len(lines) > room else []
        waiting = (
            [] if lines else [Text("no active job yet" if self._filled else "waiting for the server", style="dim")]
        )
        trouble = [Text(self._trouble, style="yellow")] if self._trouble else []
        yield Group(self._title(lines), Text(), table, *waiting, *more, *trouble)

    def _title(self, lines: Sequence[BoardRow]) -> Text:
        counts: dict[str, int] = {}
        for line in lines:
            counts[job_state(line.job)] = counts.get(job_state(line.job), 0) + 1
        parts = [Text.assemble(styled(word), f" {count}") for word, count in sorted(counts.items())]
        return Text("  ").join([Text(f"{len(lines)} jobs", style="bold"), *parts])

    def _ordered(self) -> list[BoardRow]:
        lines = [*reversed(self._lines.values())]  # what was heard of last comes first
        return sorted(lines, key=lambda line: line.job.state in JOB_TERMINAL)


def _after(line: BoardRow | None, message: pb.WatchJobResponse) -> BoardRow | None:
    """The line of a job after a message; None when nothing is known of the job."""
    match message.WhichOneof("payload"):
        case "snapshot":
            return BoardRow(message.snapshot, line.news if line else "")
        case "event":
            return BoardRow(_folded(line, message), _news(message.event))
        case _:
            return line


def _folded(line: BoardRow | None, message: pb.WatchJobResponse) -> pb.Job:
    event = message.event
    try:
        return fold(line.job if line else None, event)
    except ValueError:  # the first that is heard of it, or a gap: what the event itself says will do
        job = pb.Job(name=message.job)
        job.MergeFrom(line.job if line else pb.Job())
        job.state, job.revision = event.state, event.revision
        if event.HasField("counts"):
            job.counts.CopyFrom(event.counts)
        return job


def _news(event: pb.JobEvent) -> str:
    facts = "; ".join(event_facts(event))
    return f"{clock(event.event_time)} {event_kind(event)}" + (f": {facts}" if facts else "")


def _row(line: BoardRow) -> Sequence[str | Text]:
    job, counts = line.job, line.job.counts
    done = f"{counts.succeeded}/{counts.total}" if counts.total else ""
    failed = Text(str(counts.failed), style="bold red") if counts.failed else ""
    name = clean(job.name.removeprefix("jobs/"))
    return name, styled(job_state(job)), kind(job), done, failed, str(job.revision), clean(line.news)
