"""Submit work, show the job, and watch it if asked to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headgate import pb
from headgate_cli.actions.progress.progress_bar import ProgressBar
from headgate_cli.actions.run_command import act
from headgate_cli.actions.watching import follow
from headgate_cli.input import enums, specs
from headgate_cli.input.arguments import ids, labels, span
from headgate_cli.input.parameters import ServerFlags, SubmitFlags
from headgate_cli.input.spec_parameters import CreationFlags, PolicyFlags, RerunFlags, RunFlags
from headgate_cli.views.describe import job_line
from headgate_cli.views.output import Printer
from headgate_cli.views.plans import PLAN_COLUMNS, plan_lines, plan_rows, progress_said, reused_said
from headgate_client import Client, SubmitOptions, SubmitRequest


def plan(
    flags: RunFlags, policy: PolicyFlags, path: str, max_staleness: str, submission: SubmitFlags, server: ServerFlags
) -> None:
    """Show what a backfill would do, and until then how far the look-up of its dates is."""

    async def work(client: Client, printer: Printer) -> None:
        spec, last = specs.backfill(flags, policy, path), pb.PlanProgress()
        stale = span(max_staleness, "--max-staleness")
        with ProgressBar("looking up", printer) as bar:

            def show(now: pb.PlanProgress) -> None:
                last.CopyFrom(now)
                bar.update(now.dates_done, now.dates_total, progress_said(now))

            found = await client.backfills.plan_large(
                spec, connection=submission.connection, max_staleness=stale, on_progress=show
            )
        if printer.as_json:
            return printer.document(found)
        printer.table(PLAN_COLUMNS, plan_rows(found))
        for line in plan_lines(found):
            printer.line(line)
        if last.dates_reused:
            printer.note(reused_said(last))
        return None

    act(server, work)


def backfill(
    flags: RunFlags, policy: PolicyFlags, path: str, plan_token: str, submission: SubmitFlags, server: ServerFlags
) -> None:
    """Submit a backfill."""

    def request() -> SubmitRequest:
        return pb.CreateBackfillRequest(spec=specs.backfill(flags, policy, path), plan_token=plan_token)

    submit(request, submission, server)


def create(flags: RunFlags, creation: CreationFlags, path: str, submission: SubmitFlags, server: ServerFlags) -> None:
    """Submit a create."""
    submit(lambda: pb.CreateWorkflowInstancesRequest(spec=specs.create(flags, creation, path)), submission, server)


def start(instance_ids: Sequence[str], comment: str, submission: SubmitFlags, server: ServerFlags) -> None:
    """Submit a start."""

    def request() -> SubmitRequest:
        spec = pb.StartWorkflowInstancesSpec(ids=ids(instance_ids, "ID"), comment=comment)
        return pb.StartWorkflowInstancesRequest(spec=spec)

    submit(request, submission, server)


def stop(instance_ids: Sequence[str], comment: str, submission: SubmitFlags, server: ServerFlags) -> None:
    """Submit a stop."""

    def request() -> SubmitRequest:
        spec = pb.StopWorkflowInstancesSpec(ids=ids(instance_ids, "ID"), comment=comment)
        return pb.StopWorkflowInstancesRequest(spec=spec)

    submit(request, submission, server)


def rerun(
    instance_ids: Sequence[str], flags: RerunFlags, path: str, submission: SubmitFlags, server: ServerFlags
) -> None:
    """Submit a rerun."""
    submit(lambda: pb.RerunWorkflowInstancesRequest(spec=specs.rerun(instance_ids, flags, path)), submission, server)


_TASK_WRITES: Mapping[str, tuple[Callable[..., SubmitRequest], Callable[..., Any]]] = {
    "rerun": (pb.RerunTaskInstancesRequest, pb.RerunTaskInstancesSpec),
    "set-success": (pb.SetSuccessTaskInstancesRequest, pb.SetSuccessTaskInstancesSpec),
    "stop": (pb.StopTaskInstancesRequest, pb.StopTaskInstancesSpec),
    "suspend": (pb.SuspendTaskInstancesRequest, pb.SuspendTaskInstancesSpec),
    "resume": (pb.ResumeTaskInstancesRequest, pb.ResumeTaskInstancesSpec),
}
"""By command of `headgate task`: its request and spec."""


def task_write(
    command: str,
    task_instance_ids: Sequence[str],
    comment: str,
    submission: SubmitFlags,
    server: ServerFlags,
    **fields: bool,
) -> None:
    """Submit a write about task instances; `fields` are more of its spec."""
    request, spec = _TASK_WRITES[command]

    def made() -> SubmitRequest:
        return request(spec=spec(ids=ids(task_instance_ids, "ID"), comment=comment, **fields))

    submit(made, submission, server)


def adhoc(path: str, submission: SubmitFlags, server: ServerFlags) -> None:
    """Submit an ad hoc run."""
    submit(lambda: pb.ExecuteAdhocWorkflowInstanceRequest(spec=specs.adhoc(path)), submission, server)


def submit_options(submission: SubmitFlags) -> SubmitOptions:
    """Return what the flags say about the job. Raises UsageFault."""
    options = SubmitOptions(
        job_id=submission.job_id,
        request_id=submission.request_id,
        connection=submission.connection,
        validate_only=submission.validate_only,
        priority=submission.priority,
        labels=labels(submission.label),
        until=pb.Until.ValueType(enums.number(submission.until, pb.Until, "UNTIL_", "--until")),
    )
    deadline = span(submission.deadline, "--deadline")
    if deadline is not None:
        options["deadline"] = deadline
    return options


def submit(request: Callable[[], SubmitRequest], submission: SubmitFlags, server: ServerFlags) -> None:
    """Submit what `request` makes, show the job, and watch it if asked to. Raises UsageFault."""

    async def work(client: Client, printer: Printer) -> int:
        handle = await client.jobs.submit(request(), **submit_options(submission))
        job = handle.job or await handle.refresh()
        if submission.wait and not submission.validate_only:
            return await follow(handle, printer, start_revision=1)
        if printer.as_json:
            printer.document(job)
        else:
            printer.line(job_line(job))
            if not submission.validate_only:
                printer.note(f"follow it with: headgate watch {handle.id}")
        return 0

    act(server, work)
