"""Watch a job as a chart, or look at it as it was: drawn from its event log alone."""

import asyncio
import time

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.text import Text

from headgate import pb
from headgate_cli.actions.jobs import show
from headgate_cli.actions.run_command import act
from headgate_cli.actions.watching import conclude
from headgate_cli.input.parameters import ServerFlags
from headgate_cli.process.exit_codes import OK, UsageFault
from headgate_cli.views.chart import ChartReader
from headgate_cli.views.gantt import lines
from headgate_cli.views.output import Printer
from headgate_client import Client, EventItem, JobHandle, SnapshotItem

_FRAMES_PER_SECOND = 4


def watch(job: str, at: int, gantt: bool, for_all: str, server: ServerFlags) -> None:
    """Draw a job until it has ended, or show it at a revision; `for_all` is a flag that is for all jobs only."""

    async def work(client: Client, printer: Printer) -> int:
        if not job or for_all:
            raise UsageFault("JOB", "name a job, such as orders-2025")
        handle = client.jobs.handle(job)
        await handle.refresh()
        if at:
            await _look_back(handle, at, printer, gantt=gantt)
            return OK
        return await _follow(handle, printer)

    act(server, work)


async def _look_back(handle: JobHandle, at: int, printer: Printer, *, gantt: bool) -> None:
    reading = ChartReader()
    async for event in handle.events():
        reading.take(event)
        if event.revision == at:
            break
    if reading.job.revision < at:
        raise UsageFault("--at", f"{handle.name} is at revision {reading.job.revision}")
    if printer.as_json or not gantt:
        show(reading.job, printer)
    else:
        _draw(reading, printer)


async def _follow(handle: JobHandle, printer: Printer) -> int:
    moving = LiveChart()
    try:
        if printer.is_live:
            with Live(moving, console=printer.console, refresh_per_second=_FRAMES_PER_SECOND):
                await _read(handle, moving, printer)
        else:
            await _read(handle, moving, printer)
            if not printer.as_json:
                _draw(moving.reading, printer)
    except asyncio.CancelledError:
        printer.note(f"{handle.name} goes on; come back with: headgate watch {handle.id} --gantt")
        raise
    return conclude(moving.reading.job, printer)


async def _read(handle: JobHandle, moving: "LiveChart", printer: Printer) -> None:
    async with handle.watch(1, until_settled=True, on_reconnect=moving.reconnecting) as watch:
        async for item in watch:
            if isinstance(item, SnapshotItem):
                moving.begin_anew(item.job)
            elif isinstance(item, EventItem):
                moving.take(item.event)
                if printer.as_json:
                    printer.json_line(item.event)


def _draw(reading: ChartReader, printer: Printer) -> None:
    chart = reading.chart()
    for line in lines(chart, printer.console.width, chart.last):
        printer.line(line)


class LiveChart:
    """The chart as it stands now; draws itself anew whenever it is asked."""

    def __init__(self) -> None:
        self.reading = ChartReader()
        self._received = time.monotonic()
        self._trouble = ""

    def take(self, event: pb.JobEvent) -> None:
        """Take in the next event."""
        self.reading.take(event)
        self._received = time.monotonic()
        self._trouble = ""

    def begin_anew(self, job: pb.Job) -> None:
        """Take in how the job stands, where the history before it is gone."""
        self.reading = ChartReader(job)
        self._received = time.monotonic()

    def reconnecting(self, cause: str, delay: float) -> None:
        """Take in that the stream was lost."""
        self._trouble = f"lost the stream ({cause}); coming back in {delay:.1f} s"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        chart = self.reading.chart()
        # The store's clock, carried on by this machine's, so that the two never need to agree.
        now = chart.last + time.monotonic() - self._received
        trouble = [Text(self._trouble, style="yellow")] if self._trouble else []
        room = options.size.height - len(trouble)
        yield Group(*lines(chart, options.max_width, now, room), *trouble)
