"""What the commands that read instances do."""

from collections.abc import Sequence
from dataclasses import dataclass

from headgate import pb
from headgate_cli.actions.run_command import act
from headgate_cli.input import enums
from headgate_cli.input.arguments import date_spans, ids, pieces, span
from headgate_cli.input.parameters import ServerFlags
from headgate_cli.process.exit_codes import UsageFault
from headgate_cli.views.describe import INSTANCE_COLUMNS, instance_row
from headgate_cli.views.output import Printer
from headgate_client import Client, date_range


@dataclass(frozen=True, slots=True)
class InstanceListing:
    """Which instances are wanted, as typed."""

    project_id: int
    biz_dates: Sequence[str]
    name: str
    exact_name: bool
    env_type: str
    statuses: Sequence[str]
    owner: str
    workflow_id: int
    tags: Sequence[str]
    connection: str


def get(instance_ids: Sequence[str], max_staleness: str, connection: str, server: ServerFlags) -> None:
    """Show workflow instances."""

    async def work(client: Client, printer: Printer) -> None:
        wanted = ids(instance_ids, "ID")
        stale = span(max_staleness, "--max-staleness")
        reads = client.workflow_instances
        if len(wanted) == 1:
            found = [await reads.get(wanted[0], max_staleness=stale, connection=connection)]
        else:
            found = [*await reads.batch_get(wanted, max_staleness=stale, connection=connection)]
        if printer.as_json and len(found) == 1:
            return printer.document(found[0])
        return _show(found, printer)

    act(server, work)


def list_instances(listing: InstanceListing, limit: int, server: ServerFlags) -> None:
    """Show the workflow instances of a project over business dates."""

    async def work(client: Client, printer: Printer) -> None:
        found = []
        async for row in client.workflow_instances.list(_list_request(listing, limit)):
            found.append(row)
            if len(found) == limit:
                break
        _show(found, printer)

    act(server, work)


def _list_request(listing: InstanceListing, limit: int) -> pb.ListWorkflowInstancesRequest:
    if not listing.biz_dates:
        raise UsageFault("--biz-dates", "DataWorks lists by business date; write 2025-02-05..2025-02-06")
    prefix = "WORKFLOW_INSTANCE_STATUS_"
    statuses = [enums.number(word, pb.WorkflowInstanceStatus, prefix, "--status") for word in pieces(listing.statuses)]
    return pb.ListWorkflowInstancesRequest(
        project_id=listing.project_id,
        biz_dates=[date_range(first, last) for first, last in date_spans(listing.biz_dates)],
        name=listing.name,
        exact_name=listing.exact_name,
        env_type=pb.EnvType.ValueType(enums.number(listing.env_type, pb.EnvType, "ENV_TYPE_", "--env-type")),
        statuses=[pb.WorkflowInstanceStatus.ValueType(number) for number in statuses],
        owner=listing.owner,
        workflow_id=listing.workflow_id,
        tags=listing.tags,
        page_size=min(limit, 200),
        connection=listing.connection,
    )


def _show(found: Sequence[pb.WorkflowInstance], printer: Printer) -> None:
    if printer.as_json:
        printer.document(pb.ListWorkflowInstancesResponse(workflow_instances=found))
    else:
        printer.table(INSTANCE_COLUMNS, [instance_row(row) for row in found])
