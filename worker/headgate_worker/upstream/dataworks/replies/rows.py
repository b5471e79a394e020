"""One workflow instance of a reply. Pure. Members and types: SDK 9.11, seeds 000 and 002."""

from __future__ import annotations

from google.protobuf import timestamp_pb2
from google.type.date_pb2 import Date

from headgate import pb
from headgate.backfill import dates
from headgate_worker.upstream.dataworks import words
from headgate_worker.upstream.dataworks.dates import business_date
from headgate_worker.upstream.dataworks.replies.fields import Members

PARAMETERS_LENGTH = 1024 * 1024
WORD_LENGTH = 128
MAX_TAGS = 1000

_TIMES = (
    ("started_time", "StartedTime"),
    ("finished_time", "FinishedTime"),
    ("create_time", "CreateTime"),
    ("modify_time", "ModifyTime"),
)


def instance(row: Members, read_at: timestamp_pb2.Timestamp, request_id: str) -> pb.WorkflowInstance:
    """A workflow instance. Only Id is needed; words that we do not know are kept raw and count as UNSPECIFIED."""
    seen = pb.WorkflowInstance(
        id=row.needed_id("Id"),
        workflow_id=row.count("WorkflowId"),
        workflow_task_instance_id=row.count("WorkflowTaskInstanceId"),
        unified_workflow_instance_id=row.count("UnifiedWorkflowInstanceId"),
        name=row.text("Name"),
        type_raw=word(row, "Type"),
        status_raw=word(row, "Status"),
        project_id=row.count("ProjectId"),
        env_type_raw=word(row, "EnvType"),
        owner=word(row, "Owner"),
        create_user=word(row, "CreateUser"),
        modify_user=word(row, "ModifyUser"),
        workflow_parameters=row.text("WorkflowParameters", length=PARAMETERS_LENGTH),
        upstream_request_id=request_id,
    )
    seen.type = words.INSTANCE_TYPE_OF.get(seen.type_raw, pb.WORKFLOW_INSTANCE_TYPE_UNSPECIFIED)
    seen.status = words.INSTANCE_STATUS_OF.get(seen.status_raw, pb.WORKFLOW_INSTANCE_STATUS_UNSPECIFIED)
    seen.env_type = words.ENV_TYPE_OF.get(seen.env_type_raw, pb.ENV_TYPE_UNSPECIFIED)
    seen.tags.extend(tags(row))
    _write_times(seen, row, read_at)
    return seen


def _write_times(seen: pb.WorkflowInstance, row: Members, read_at: timestamp_pb2.Timestamp) -> None:
    """Set in place: handing messages to the constructor costs several times as much."""
    seen.observe_time.CopyFrom(read_at)
    if millis := row.millis("BizDate"):
        seen.biz_date_millis = millis
        dates.write(seen.biz_date, dates.business_date(millis))
    for field, name in _TIMES:
        if millis := row.millis(name):
            time = getattr(seen, field)
            time.seconds, time.nanos = millis // 1000, millis % 1000 * 1_000_000


def word(row: Members, name: str) -> str:
    """A short text of upstream's, such as a status or an account id."""
    return row.text(name, length=WORD_LENGTH)


def biz_date(row: Members, name: str) -> Date | None:
    """The business date that a time in ms stands for; None when absent."""
    millis = row.millis(name)
    return business_date(millis) if millis else None


def tags(row: Members) -> list[pb.Tag]:
    """The tags of a row, at most MAX_TAGS."""
    given = row.members("Tags") if row.has("Tags") else []
    return [pb.Tag(key=tag.text("Key"), value=tag.text("Value")) for tag in given[:MAX_TAGS]]
