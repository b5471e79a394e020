"""One workflow instance of a reply. Pure. Members and types: SDK 9.11, seeds 000 and 002."""

from __future__ import annotations

from google.protobuf import timestamp_pb2
from google.type.date_pb2 import Date

from headgate import pb
from headgate_worker.dataworks import words
from headgate_worker.dataworks.dates import business_date
from headgate_worker.dataworks.fields import Members

PARAMETERS_LENGTH = 1024 * 1024
WORD_LENGTH = 128
MAX_TAGS = 1000

_TIMES = (
    ("started_time", "StartedTime"),
    ("finished_time", "FinishedTime"),
    ("create_time", "CreateTime"),
    ("modify_time", "ModifyTime"),
)
"""Set one by one: handing messages to the constructor costs several times as much."""


def instance(row: Members, read_at: timestamp_pb2.Timestamp, request_id: str) -> pb.WorkflowInstance:
    """A workflow instance. Only Id is needed; words that we do not know are kept raw and count as UNSPECIFIED."""
    type_raw, status_raw, env_raw = (word(row, name) for name in ("Type", "Status", "EnvType"))
    seen = pb.WorkflowInstance(
        id=row.needed_id("Id"),
        workflow_id=row.count("WorkflowId"),
        workflow_task_instance_id=row.count("WorkflowTaskInstanceId"),
        unified_workflow_instance_id=row.count("UnifiedWorkflowInstanceId"),
        name=row.text("Name"),
        type=words.INSTANCE_TYPE_OF.get(type_raw, pb.WORKFLOW_INSTANCE_TYPE_UNSPECIFIED),
        type_raw=type_raw,
        status=words.INSTANCE_STATUS_OF.get(status_raw, pb.WORKFLOW_INSTANCE_STATUS_UNSPECIFIED),
        status_raw=status_raw,
        biz_date_millis=row.millis("BizDate"),
        project_id=row.count("ProjectId"),
        env_type=words.ENV_TYPE_OF.get(env_raw, pb.ENV_TYPE_UNSPECIFIED),
        env_type_raw=env_raw,
        owner=word(row, "Owner"),
        create_user=word(row, "CreateUser"),
        modify_user=word(row, "ModifyUser"),
        workflow_parameters=row.text("WorkflowParameters", length=PARAMETERS_LENGTH),
        tags=tags(row),
        upstream_request_id=request_id,
    )
    seen.observe_time.CopyFrom(read_at)
    if (day := biz_date(row, "BizDate")) is not None:
        seen.biz_date.CopyFrom(day)
    for field, name in _TIMES:
        if millis := row.millis(name):
            getattr(seen, field).FromMilliseconds(millis)
    return seen


def word(row: Members, name: str) -> str:
    """A short text of upstream's, such as a status or an account id."""
    return row.text(name, length=WORD_LENGTH)


def biz_date(row: Members, name: str) -> Date | None:
    """The business date that a time in ms stands for; None when absent."""
    millis = row.millis(name)
    return business_date(millis) if millis else None


def tags(row: Members) -> list[pb.Tag]:
    """The tags of a row, at most MAX_TAGS."""
    return [pb.Tag(key=tag.text("Key"), value=tag.text("Value")) for tag in row.members("Tags")[:MAX_TAGS]]
