"""What the commands that read task instances do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from rich.text import Text

from headgate import pb
from headgate_cli.actions.run_command import act
from headgate_cli.input import enums
from headgate_cli.input.arguments import one_date
from headgate_cli.input.parameters import ServerFlags
from headgate_cli.process.exit_codes import UsageFault
from headgate_cli.views.describe import day, styled, when
from headgate_cli.views.output import Printer, clean
from headgate_client import Client

_COLUMNS = ("ID", "TASK", "NAME", "TYPE", "STATUS", "STARTED", "FINISHED", "RUN")
_PAGE = 500


@dataclass(frozen=True, slots=True)
class TaskListing:
    """Which task instances are wanted, as typed."""

    workflow_instance_id: int
    project_id: int
    biz_date: str
    status: str
    name: str
    type: str
    recurrence: str
    owner: str
    history_of: int
    env_type: str
    connection: str


def list_tasks(listing: TaskListing, limit: int, server: ServerFlags) -> None:
    """Show task instances."""

    async def work(client: Client, printer: Printer) -> None:
        found = []
        async for row in client.tasks.search(_request(listing, limit)):
            found.append(row)
            if len(found) == limit:
                break
        if printer.as_json:
            return printer.document(pb.ListTaskInstancesResponse(task_instances=found))
        return printer.table(_COLUMNS, [_row(row) for row in found])

    act(server, work)


def _request(listing: TaskListing, limit: int) -> pb.ListTaskInstancesRequest:
    if not (listing.workflow_instance_id or (listing.project_id and listing.biz_date)):
        raise UsageFault("INSTANCE", "a workflow instance id is expected, or --project-id and --biz-date")
    request = pb.ListTaskInstancesRequest(
        workflow_instance_id=listing.workflow_instance_id,
        project_id=listing.project_id,
        status=listing.status,
        task_name=listing.name,
        task_type=listing.type,
        trigger_recurrence=listing.recurrence,
        owner=listing.owner,
        history_of_id=listing.history_of,
        project_env=pb.EnvType.ValueType(enums.number(listing.env_type, pb.EnvType, "ENV_TYPE_", "--env-type")),
        page_size=min(limit, _PAGE),
        connection=listing.connection,
    )
    if listing.biz_date:
        first = one_date(listing.biz_date)
        request.biz_date.CopyFrom(Date(year=first.year, month=first.month, day=first.day))
    return request


def _row(task: pb.TaskInstance) -> Sequence[str | Text]:
    return (
        str(task.id),
        str(task.task_id),
        clean(task.task_name),
        clean(task.task_type),
        styled(_status(task)),
        when(task.started_time),
        when(task.finished_time),
        str(task.run_number or ""),
    )


def _status(task: pb.TaskInstance) -> str:
    """Upstream's word, with a mark where a success has executed nothing."""
    return clean(task.status) + (" (dry run)" if task.trigger_recurrence == "Skip" else "")


def get(id: int, connection: str, server: ServerFlags) -> None:
    """Show one task instance, a line a field that is set, and its script."""

    async def work(client: Client, printer: Printer) -> None:
        found = await client.tasks.get(id, connection=connection)
        if printer.as_json:
            return printer.document(found)
        printer.table(("FIELD", "VALUE"), [*_fields(found)])
        if found.script_content:
            printer.line("")
            show_log(found.script_content, False, printer)
        return None

    act(server, work)


def _fields(found: pb.TaskInstance) -> Iterator[Sequence[str]]:
    for field, value in found.ListFields():
        if field.name == "script_content" or field.name.endswith(("_raw", "_millis")):
            continue
        for part in value if field.is_repeated else (value,):
            yield field.name, _value(field, part)


def _value(field: FieldDescriptor, value: object) -> str:
    if isinstance(value, Timestamp):
        return when(value)
    if isinstance(value, Date):
        return day(value)
    if isinstance(value, Duration):
        return f"{value.seconds} s"
    if isinstance(value, pb.TaskVariable):
        return clean(f"{value.name}={value.value}")
    if isinstance(value, pb.Tag):
        return clean(f"{value.key}:{value.value}")
    if field.enum_type is not None and isinstance(value, int):
        known = field.enum_type.values_by_number.get(value)  # a newer server has values that this command has not
        return known.name if known is not None else str(value)
    return clean(str(value))


def log(id: int, run_number: int, max_length: int, connection: str, server: ServerFlags) -> None:
    """Show the end of a task instance's log."""

    async def work(client: Client, printer: Printer) -> None:
        found = await client.tasks.log(id, run_number=run_number, max_length=max_length, connection=connection)
        if printer.as_json:
            return printer.document(found)
        return show_log(found.log, found.truncated, printer)

    act(server, work)


def show_log(log: str, truncated: bool, printer: Printer) -> None:
    """Show a log line by line, and say whether it is all."""
    if truncated:
        printer.note("this is a part of the log; ask for more with --max-length")
    for line in log.splitlines():
        printer.line(clean(line))
