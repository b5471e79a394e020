"""What the commands about the deployment do."""

from collections.abc import Sequence

from headgate import pb
from headgate_cli.actions.run_command import act
from headgate_cli.input.parameters import ServerFlags
from headgate_cli.process.exit_codes import JOB_NOT_SUCCEEDED, OK
from headgate_cli.views.describe import when
from headgate_cli.views.output import Printer, clean
from headgate_client import Client

_FINDING_COLUMNS = ("JOB", "WHERE", "WHAT")
_QUOTA_COLUMNS = ("CALLS", "PER SECOND", "AT PRESENT", "NEXT", "TODAY", "PER DAY", "FROZEN UNTIL")


def info(server: ServerFlags) -> None:
    """Show what the server is."""

    async def work(client: Client, printer: Printer) -> None:
        found = await client.admin.server_info()
        if printer.as_json:
            return printer.document(found)
        printer.line(f"headgate {clean(found.version)} at {client.target}")
        printer.line(f"features: {', '.join(sorted(clean(name) for name in found.features)) or 'none'}")
        for method in found.unimplemented_methods:
            printer.line(f"not built: {clean(method)}")
        limits = [(clean(name), str(limit)) for name, limit in sorted(found.limits.items())]
        return printer.table(("LIMIT", "VALUE"), limits)

    act(server, work)


def quota(connection: str, server: ServerFlags) -> None:
    """Show how the quota stands."""

    async def work(client: Client, printer: Printer) -> None:
        found = await client.admin.quota(connection)
        if printer.as_json:
            return printer.document(found)
        edition = f"edition {clean(found.edition)}, " if found.edition else ""
        printer.line(f"{edition}announced {when(found.announce_time)}, {found.throttled} calls throttled")
        return printer.table(_QUOTA_COLUMNS, [_quota_row(bucket) for bucket in found.buckets])

    act(server, work)


def fsck(job: str, server: ServerFlags) -> None:
    """Check what is kept of a job, or of all jobs, and exit by whether anything is not as it has to be."""

    async def work(client: Client, printer: Printer) -> int:
        found = pb.CheckJobsResponse()
        async for page in client.admin.check_jobs(job):
            found.checked += page.checked
            found.findings.extend(page.findings)
        if printer.as_json:
            printer.document(found)
        else:
            if found.findings:
                printer.table(_FINDING_COLUMNS, [_finding_row(one) for one in found.findings])
            printer.line(f"{found.checked} jobs checked, {len(found.findings)} findings")
        return JOB_NOT_SUCCEEDED if found.findings else OK

    act(server, work)


def _finding_row(one: pb.JobFinding) -> Sequence[str]:
    return clean(one.job.removeprefix("jobs/")), clean(one.subject), clean(one.description)


def _quota_row(bucket: pb.QuotaBucket) -> Sequence[str]:
    return (
        clean(bucket.metric),
        f"{bucket.limit_per_second:g}" if bucket.limit_per_second else "no limit",
        f"{bucket.current_per_second:.3g}" if bucket.limit_per_second else "no limit",
        "now" if bucket.available else when(bucket.next_slot_time),
        str(bucket.daily_used),
        str(bucket.daily_limit or "no limit"),
        when(bucket.frozen_until),
    )
