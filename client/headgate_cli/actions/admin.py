"""What the commands about the deployment do."""

from collections.abc import Sequence

from headgate import pb
from headgate_cli.actions.run_command import act
from headgate_cli.input.parameters import ServerFlags
from headgate_cli.views.describe import when
from headgate_cli.views.output import Printer, clean
from headgate_client import Client

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
