"""Follow a job: a live view at a terminal, a line per event in a pipe, a JSON document per item on request."""

import asyncio
from contextlib import suppress
from typing import Protocol

from rich.live import Live

from headgate import pb
from headgate_cli.process.exit_codes import JOB_NOT_SUCCEEDED, OK
from headgate_cli.views.describe import event_line, failure_lines, job_line, run_line
from headgate_cli.views.live_job import LiveJob
from headgate_cli.views.output import Printer, clean
from headgate_client import EndItem, EventItem, HeadgateError, JobHandle, ProgressItem, SnapshotItem, WatchItem
from headgate_client.watch.settling import SETTLED

_FRAMES_PER_SECOND = 8
_EXPLAIN_SECONDS = 3.0


class WatchView(Protocol):
    """Shows what a watch yields."""

    def show(self, item: WatchItem, job: pb.Job | None) -> None:
        """Show an item; `job` is the job after it."""

    def reconnecting(self, cause: str, delay: float) -> None:
        """Show that the stream was lost and is opened again."""


async def follow(handle: JobHandle, printer: Printer, *, start_revision: int = 1) -> int:
    """Watch the job until it has ended or needs a person, and return the exit status.

    Interrupting it says that the job goes on, and how to come back. Raises HeadgateError.
    """
    try:
        if printer.is_live:
            live_job = LiveJob()
            with Live(live_job, console=printer.console, refresh_per_second=_FRAMES_PER_SECOND):
                job = await _watch_live(handle, live_job, start_revision)
                live_job.freeze()
        else:
            job = await _watch(handle, _JsonView(printer) if printer.as_json else _LineView(printer), start_revision)
    except asyncio.CancelledError:
        printer.note(f"{handle.name} goes on; come back with: headgate watch {handle.id}")
        raise
    return conclude(job, printer)


def conclude(job: pb.Job, printer: Printer) -> int:
    """Print how the job ended, unless the JSON output has it already, and return the exit status."""
    if not printer.as_json and not printer.is_live:  # the live view shows it already
        printer.line(job_line(job))
    if not printer.as_json:
        for line in failure_lines(job):
            printer.line(line)
    if job.state == pb.JOB_STATE_SUCCEEDED:
        return OK
    if job.error.message:
        printer.complain(clean(job.error.message))
    if job.state == pb.JOB_STATE_NEEDS_ATTENTION:
        printer.complain_more(f"find out what happened upstream, then: headgate jobs resolve {job.name[5:]}")
    return JOB_NOT_SUCCEEDED


async def _watch(handle: JobHandle, view: WatchView, start_revision: int) -> pb.Job:
    async with handle.watch(start_revision, until_settled=True, on_reconnect=view.reconnecting) as watch:
        async for item in watch:
            view.show(item, watch.job)
    if watch.job is not None and watch.job.state in SETTLED:
        return watch.job
    return await handle.refresh()


async def _watch_live(handle: JobHandle, live_job: LiveJob, start_revision: int) -> pb.Job:
    explaining = asyncio.create_task(_explain(handle, live_job), name="explain")
    try:
        return await _watch(handle, live_job, start_revision)
    finally:
        explaining.cancel()
        await asyncio.wait([explaining])


async def _explain(handle: JobHandle, live_job: LiveJob) -> None:
    """Ask now and then why a job of many dates is not further; an answer that does not come is left out of the view."""
    while True:
        if live_job.stands:
            with suppress(HeadgateError):
                live_job.explain(await handle.explain())
        await asyncio.sleep(_EXPLAIN_SECONDS if live_job.stands else 1.0)


class _LineView:
    """A line per event; reconnects go to standard error."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer

    def show(self, item: WatchItem, job: pb.Job | None) -> None:
        match item:
            case EventItem(event=event):
                self._printer.line(event_line(event))
            case SnapshotItem(job=snapshot, reset=reset):
                self._snapshot(snapshot, reset=reset)

    def reconnecting(self, cause: str, delay: float) -> None:
        self._printer.note(f"lost the stream ({cause}); coming back in {delay:.1f} s")

    def _snapshot(self, job: pb.Job, *, reset: bool) -> None:
        if reset:
            self._printer.note("the history before this is gone; this is how the job stands")
        self._printer.line(job_line(job))
        for run in job.runs:
            self._printer.line(f"  {run_line(run)}")


class _JsonView:
    """Each item as the API's own message, one a line; signs of life are left out."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer

    def show(self, item: WatchItem, job: pb.Job | None) -> None:
        message = pb.WatchJobResponse(revision=item.revision, job=job.name if job else "")
        match item:
            case EventItem(event=event):
                message.event.CopyFrom(event)
            case SnapshotItem(job=snapshot):
                message.snapshot.CopyFrom(snapshot)
            case EndItem(end=end):
                message.end.CopyFrom(end)
            case ProgressItem():
                return
        self._printer.json_line(message)

    def reconnecting(self, cause: str, delay: float) -> None:
        self._printer.note(f"lost the stream ({cause}); coming back in {delay:.1f} s")
