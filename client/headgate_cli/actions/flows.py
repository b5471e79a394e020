"""What the commands about EnOS flows do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from rich.text import Text

from headgate import pb
from headgate_cli.actions.run_command import act
from headgate_cli.actions.submits import submit
from headgate_cli.actions.tasks import show_log
from headgate_cli.input import enums
from headgate_cli.input.arguments import date_spans, labels, pieces, span
from headgate_cli.input.parameters import ServerFlags, SubmitFlags
from headgate_cli.process.exit_codes import UsageFault
from headgate_cli.views.describe import styled
from headgate_cli.views.output import Printer, clean
from headgate_client import Client, SubmitRequest

_COLUMNS = ("INSTANCE", "FLOW", "NAME", "STATUS", "TRIGGERED", "STARTED", "ENDED")
_TASK_COLUMNS = ("TASK INSTANCE", "TASK", "NAME", "STATUS")


@dataclass(frozen=True, slots=True)
class FlowListing:
    """Which flow instances are wanted, as typed."""

    days: str
    type: str
    name: str
    owner: str
    statuses: Sequence[str]
    connection: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """What is to be triggered, as typed."""

    flow_id: int
    parameters: Sequence[str]
    from_task_id: int
    trigger_time: str


def get(instance_id: str, max_staleness: str, connection: str, server: ServerFlags) -> None:
    """Show a flow instance and its tasks."""

    async def work(client: Client, printer: Printer) -> None:
        stale = span(max_staleness, "--max-staleness")
        found = await client.flows.get(instance_id, max_staleness=stale, connection=connection)
        if printer.as_json:
            return printer.document(found)
        printer.table(_COLUMNS, [_row(found)])
        if found.graph.tasks:
            printer.line("")
            printer.table(_TASK_COLUMNS, [_task_row(task) for task in found.graph.tasks])
        return None

    act(server, work)


def _row(found: pb.FlowInstance) -> Sequence[str | Text]:
    status = styled(clean(found.status_desc) or str(found.status_raw))
    times = (found.trigger_time, found.start_time, found.end_time)
    return (clean(found.instance_id), str(found.flow_id), clean(found.flow_name), status, *map(clean, times))


def _task_row(task: pb.TaskInstanceGraph) -> Sequence[str | Text]:
    return clean(task.task_inst_id), clean(task.task_id), clean(task.task_name), styled(clean(task.status))


def list_flows(listing: FlowListing, limit: int, server: ServerFlags) -> None:
    """Show the flow instances of a window of trigger times."""

    async def work(client: Client, printer: Printer) -> None:
        found = []
        async for row in client.flows.list(_list_request(listing, limit)):
            found.append(row)
            if len(found) == limit:
                break
        if printer.as_json:
            return printer.document(pb.ListFlowInstancesResponse(flow_instances=found))
        return printer.table(_COLUMNS, [_row(row) for row in found])

    act(server, work)


def _list_request(listing: FlowListing, limit: int) -> pb.ListFlowInstancesRequest:
    spans = date_spans([listing.days], "--days")
    if len(spans) != 1:
        raise UsageFault("--days", "one range is expected, such as 2025-02-05..2025-02-06")
    first, last = spans[0]
    prefix = "FLOW_INSTANCE_STATUS_"
    statuses = [enums.number(word, pb.FlowInstanceStatus, prefix, "--status") for word in pieces(listing.statuses)]
    kind = enums.number(listing.type, pb.FlowInstanceType, "FLOW_INSTANCE_TYPE_", "--type")
    request = pb.ListFlowInstancesRequest(
        type=pb.FlowInstanceType.ValueType(kind),
        expression=listing.name,
        owner=listing.owner,
        statuses=[pb.FlowInstanceStatus.ValueType(number) for number in statuses],
        page_size=min(limit, 200),
        connection=listing.connection,
    )
    request.from_trigger_time.FromDatetime(datetime.combine(first, time(), UTC))
    request.to_trigger_time.FromDatetime(datetime.combine(last + timedelta(days=1), time(), UTC))
    return request


def trigger(wanted: Trigger, submission: SubmitFlags, server: ServerFlags) -> None:
    """Submit a trigger of a flow."""

    def request() -> SubmitRequest:
        rows = [pb.FlowParameter(key=key, value=value) for key, value in labels(wanted.parameters).items()]
        spec = pb.TriggerFlowSpec(flow_id=wanted.flow_id, parameters=rows, from_task_id=wanted.from_task_id)
        if wanted.trigger_time:
            spec.trigger_time.FromDatetime(_moment(wanted.trigger_time))
        return pb.TriggerFlowRequest(spec=spec)

    submit(request, submission, server)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min
    if found.tzinfo is None:
        raise UsageFault("--trigger-time", f"{text!r} is no time with a zone; write 2025-02-05T08:00:00+08:00")
    return found.astimezone(UTC)


def cancel(instance_id: str, submission: SubmitFlags, server: ServerFlags) -> None:
    """Submit the cancel of a flow instance."""
    spec = pb.CancelFlowInstanceSpec(flow_instance_id=instance_id)
    submit(lambda: pb.CancelFlowInstanceRequest(spec=spec), submission, server)


def watch(instance_ids: Sequence[str], connection: str, server: ServerFlags) -> None:
    """Show flow instances as they change, until all have ended."""

    async def work(client: Client, printer: Printer) -> None:
        async with client.flows.watch(pieces(instance_ids), connection=connection) as changes:
            async for change in changes:
                if not change.HasField("flow_instance"):
                    continue
                if printer.as_json:
                    printer.json_line(change)
                else:
                    row = change.flow_instance
                    printer.line(f"{clean(row.instance_id)} {clean(row.flow_name)} {clean(row.status_desc)}")

    act(server, work)


def logs(task_instance_id: str, max_length: int, connection: str, server: ServerFlags) -> None:
    """Show the log of a flow's task instance."""

    async def work(client: Client, printer: Printer) -> None:
        found = await client.flows.task_log(task_instance_id, max_length=max_length, connection=connection)
        if printer.as_json:
            return printer.document(found)
        return show_log(found.log, found.truncated, printer)

    act(server, work)
