"""What the commands about jobs do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.text import Text

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_cli.actions.run_command import act
from headgate_cli.actions.watching import follow
from headgate_cli.input import enums
from headgate_cli.input.arguments import ids
from headgate_cli.input.enums import plain
from headgate_cli.input.job_changes import change_of
from headgate_cli.input.parameters import ChangeFlags, ServerFlags
from headgate_cli.process.exit_codes import UsageFault
from headgate_cli.views.calendar import FEWEST_DATES
from headgate_cli.views.describe import (
    CAUSE_COLUMNS,
    EVENT_COLUMNS,
    JOB_COLUMNS,
    RUN_COLUMNS,
    cause_row,
    event_line,
    event_row,
    forecast_line,
    job_line,
    job_row,
    operation_fact,
    run_row,
    when,
)
from headgate_cli.views.output import Printer, clean
from headgate_cli.views.still_job import still_lines, telling_runs
from headgate_client import Client, JobHandle

_POLL_SECONDS = 30.0
"""How long one long poll waits."""


@dataclass(frozen=True, slots=True)
class ResolveFlags:
    """What a person found out about an operation, as typed."""

    resolution: str
    operation: int
    instance_ids: Sequence[str]
    reason: str
    etag: str


def list_jobs(filter: str, limit: int, view: str, server: ServerFlags) -> None:
    """Show jobs, newest first."""

    async def work(client: Client, printer: Printer) -> None:
        found = pb.ListJobsResponse()
        async for job in client.jobs.list(filter, page_size=min(limit, 200), view=_view(view)):
            found.jobs.append(job)
            if len(found.jobs) == limit:
                break
        if printer.as_json:
            return printer.document(found)
        return printer.table(JOB_COLUMNS, [job_row(job) for job in found.jobs])

    act(server, work)


def get(job: str, view: str, server: ServerFlags) -> None:
    """Show a job as it stands."""

    async def work(client: Client, printer: Printer) -> None:
        found = await client.jobs.get(job, view=_view(view))
        is_explained = printer.is_live and len(found.runs) >= FEWEST_DATES and found.state not in JOB_TERMINAL
        show(found, printer, await client.jobs.explain(job) if is_explained else ())

    act(server, work)


def show(job: pb.Job, printer: Printer, causes: Sequence[pb.Cause] = ()) -> None:
    """Write a job: as a line, its times, its runs and its calls upstream; or as JSON.

    At a terminal many dates are a calendar, with `causes`, why the job is not further, and the runs that matter.
    """
    if printer.as_json:
        return printer.document(job)
    printer.line(job_line(job))
    if job.error.message:
        printer.line(f"error: {clean(job.error.message)}")
    for name, moment in (("created", job.create_time), ("ended", job.end_time), ("expires", job.expire_time)):
        if moment.seconds:
            printer.line(f"{name}: {when(moment)}")
    if job.HasField("forecast"):
        printer.line(forecast_line(job.forecast))
    printer.line(f"revision: {job.revision}  etag: {job.etag}")
    _show_runs(job, printer, still_lines(job, causes, printer.console.width) if printer.is_live else ())
    for operation in job.operations:
        printer.line(f"operation {operation.index}: {operation_fact(operation)}  marker: {clean(operation.marker)}")
    return None


def _show_runs(job: pb.Job, printer: Printer, picture: Sequence[Text]) -> None:
    for line in picture:
        printer.line(line)
    runs = telling_runs(job.runs) if picture else job.runs
    if runs:
        printer.table(RUN_COLUMNS, [run_row(run) for run in runs])
    if len(runs) < len(job.runs):
        printer.line(Text(f"and {len(job.runs) - len(runs)} more runs; in a pipe all of them are written", style="dim"))


def watch(job: str, start_revision: int, for_all: str, server: ServerFlags) -> None:
    """Follow a job until it ends; `for_all` is a flag that makes sense only for all jobs."""

    async def work(client: Client, printer: Printer) -> int:
        if not job or for_all:
            raise UsageFault("JOB", "name a job, such as orders-2025, or all of them with --all (and --filter)")
        handle = client.jobs.handle(job)
        await handle.refresh()  # an unknown job or an absent server is an error at once, not after a watch's patience
        return await follow(handle, printer, start_revision=start_revision)

    act(server, work)


def events(job: str, start_revision: int, follow: bool, server: ServerFlags) -> None:
    """Show a job's log, or follow it by long polls."""

    async def work(client: Client, printer: Printer) -> None:
        handle = client.jobs.handle(job)
        if not follow:
            return await show_events(handle, printer, start_revision)
        async for event in handle.events(start_revision, wait=_POLL_SECONDS):
            if printer.as_json:
                printer.json_line(event)
            else:
                printer.line(event_line(event))
        return None

    act(server, work)


async def show_events(handle: JobHandle, printer: Printer, start_revision: int = 1, title: str = "") -> None:
    """Write the log as a table, or one event a line as JSON."""
    rows = []
    async for event in handle.events(start_revision):
        if printer.as_json:
            printer.json_line(event)
        else:
            rows.append(event_row(event))
    if not printer.as_json:
        printer.table(EVENT_COLUMNS, rows, title)


def cancel(job: str, mode: str, reason: str, etag: str, server: ServerFlags) -> None:
    """Ask for a job's end."""
    steer(server, lambda client: client.jobs.cancel(job, mode=cancel_mode(mode), reason=reason, etag=etag))


def pause(job: str, reason: str, etag: str, server: ServerFlags) -> None:
    """Pause a job."""
    steer(server, lambda client: client.jobs.pause(job, reason=reason, etag=etag))


def resume(job: str, etag: str, server: ServerFlags) -> None:
    """Let a paused job go on."""
    steer(server, lambda client: client.jobs.resume(job, etag=etag))


def update(job: str, flags: ChangeFlags, etag: str, server: ServerFlags) -> None:
    """Change the fields of a job that flags name."""

    def ask(client: Client) -> Awaitable[pb.Job]:
        change = change_of(flags, datetime.now(UTC))
        return client.jobs.update(job, request_id=flags.request_id, etag=etag, **change)

    steer(server, ask)


def resolve(job: str, decision: ResolveFlags, server: ServerFlags) -> None:
    """Give a job the outcome of a call that it could not find out."""

    def ask(client: Client) -> Awaitable[pb.Job]:
        number = enums.number(decision.resolution, pb.Resolution, "RESOLUTION_", "WHAT")
        return client.jobs.resolve(
            job,
            pb.Resolution.ValueType(number),
            operation_index=decision.operation,
            workflow_instance_ids=ids(decision.instance_ids, "--instance-ids"),
            reason=decision.reason,
            etag=decision.etag,
        )

    steer(server, ask)


def explain(job: str, server: ServerFlags) -> None:
    """Show why a job is not further."""

    async def work(client: Client, printer: Printer) -> None:
        causes = await client.jobs.explain(job)
        if printer.as_json:
            return printer.document(pb.ExplainJobResponse(causes=causes))
        if not causes:
            return printer.line("nothing is in its way")
        return printer.table(CAUSE_COLUMNS, [cause_row(cause) for cause in causes])

    act(server, work)


def delete(job: str, etag: str, server: ServerFlags) -> None:
    """Delete an ended job."""

    async def work(client: Client, printer: Printer) -> None:
        await client.jobs.delete(job, etag=etag)
        printer.note(f"{client.jobs.handle(job).name} is deleted")

    act(server, work)


def count(server: ServerFlags) -> None:
    """Count jobs by state."""

    async def work(client: Client, printer: Printer) -> None:
        counts = await client.jobs.count()
        rows = [pb.StateCount(state=state, count=number) for state, number in sorted(counts.items())]
        if printer.as_json:
            return printer.document(pb.CountJobsResponse(counts=rows))
        words = [(plain(row.state, pb.JobState, "JOB_STATE_"), str(row.count)) for row in rows]
        return printer.table(("STATE", "JOBS"), words)

    act(server, work)


def _view(word: str) -> pb.JobView.ValueType:
    return pb.JobView.ValueType(enums.number(word, pb.JobView, "JOB_VIEW_", "--view"))


def cancel_mode(word: str) -> pb.CancelMode.ValueType:
    """Return the mode of a cancel. Raises UsageFault."""
    return pb.CancelMode.ValueType(enums.number(word, pb.CancelMode, "CANCEL_MODE_", "--mode"))


def steer(server: ServerFlags, ask: Callable[[Client], Awaitable[pb.Job]]) -> None:
    """Change a job, and show it as it is then."""

    async def work(client: Client, printer: Printer) -> None:
        job = await ask(client)
        if printer.as_json:
            return printer.document(job)
        return printer.line(job_line(job))

    act(server, work)
