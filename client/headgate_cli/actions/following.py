"""Follow many jobs, or instances: a board at a terminal, a line per change in a pipe, JSON on request."""

import asyncio
from collections.abc import Callable, Sequence

from rich.live import Live
from rich.text import Text

from headgate import pb
from headgate_cli.actions.run_command import act
from headgate_cli.input.arguments import ids
from headgate_cli.input.parameters import ServerFlags
from headgate_cli.process.exit_codes import UsageFault
from headgate_cli.views.describe import clock, day, event_line, job_line, styled
from headgate_cli.views.jobs_board import JobsBoard
from headgate_cli.views.output import Printer, clean
from headgate_client import Client
from headgate_client.watch.reconnecting import OnReconnect

_FRAMES_PER_SECOND = 4


def watch_all(job: str, filter: str, resume_token: str, of_one: bool, server: ServerFlags) -> None:
    """Follow every job that passes the filter, until interrupted."""

    async def work(client: Client, printer: Printer) -> None:
        if job or of_one:
            raise UsageFault("--all", "is for all jobs; leave out either it or JOB, --gantt and --at")
        await client.jobs.count()  # an absent server is an error at once, not after a watch's patience
        feed = _Feed(client, printer)
        try:
            await feed.follow(filter, resume_token)
        except asyncio.CancelledError:
            if feed.token:
                printer.note(f"the jobs go on; come back with: headgate watch --all --resume-token {feed.token}")
            raise

    act(server, work)


class _Feed:
    """The feed as it is shown; `token` is where it stands."""

    def __init__(self, client: Client, printer: Printer) -> None:
        self._client = client
        self._printer = printer
        self.token = ""

    async def follow(self, filter: str, token: str) -> None:
        self.token = token
        if not self._printer.is_live:
            return await self._read(filter, self._write, _telling(self._printer))
        board = JobsBoard()
        with Live(board, console=self._printer.console, refresh_per_second=_FRAMES_PER_SECOND):
            return await self._read(filter, board.show, board.reconnecting)

    async def _read(self, filter: str, show: Callable[[pb.WatchJobResponse], None], reconnecting: OnReconnect) -> None:
        async with self._client.jobs.watch_all(filter, resume_token=self.token, on_reconnect=reconnecting) as messages:
            async for message in messages:
                self.token = message.resume_token or self.token
                show(message)

    def _write(self, message: pb.WatchJobResponse) -> None:
        payload = message.WhichOneof("payload")
        if payload not in ("snapshot", "event"):
            return
        if self._printer.as_json:
            self._printer.json_line(message)
        elif payload == "snapshot":
            self._printer.line(job_line(message.snapshot))
        else:
            name = clean(message.job.removeprefix("jobs/"))
            self._printer.line(Text.assemble((f"{name:<24} ", "bold"), event_line(message.event)))


def watch_instances(instance_ids: Sequence[str], connection: str, server: ServerFlags) -> None:
    """Show workflow instances as they change, until all have ended."""

    async def work(client: Client, printer: Printer) -> None:
        wanted, telling = ids(instance_ids, "ID"), _telling(printer)
        async with client.workflow_instances.watch(wanted, connection=connection, on_reconnect=telling) as changes:
            async for change in changes:
                _show_instance(change, printer)

    act(server, work)


def _show_instance(change: pb.WatchWorkflowInstancesResponse, printer: Printer) -> None:
    if change.HasField("progress"):
        return
    if printer.as_json:
        printer.json_line(change)
    elif change.HasField("unreadable"):
        printer.note(f"{change.unreadable.id} can't be read now: {clean(change.unreadable.error.message)}")
    else:
        row = change.workflow_instance
        status = styled(clean(row.status_raw))
        moment = clock(row.observe_time)
        printer.line(
            Text.assemble((f"{moment}  ", "dim"), f"{row.id} {day(row.biz_date)} ", status, f" {clean(row.name)}")
        )


def _telling(printer: Printer) -> OnReconnect:
    def tell(cause: str, delay: float) -> None:
        printer.note(f"lost the stream ({cause}); coming back in {delay:.1f} s")

    return tell
