"""Views: what BASIC leaves out of a job and of an event, told from the descriptors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from headgate import pb
from headgate.messages import views

SECRET: Final = "s3cret"

SHOWN: Final = {
    "AdhocTask": "client_unique_code name type owner timeout resource_group_id image cu data_source_name "
    "input_variables output_variables",
    "AdhocVariable": "name type",
    "Alert": "type notice_type",
    "Analysis": "enabled blocked",
    "BackfillSpec": "project_id env_type workflow_id name biz_dates exclude_biz_dates days_of_week month_ends_only "
    "start_time end_time default_run_properties comment tags reprocess overlap on_failure start_mode "
    "max_attempts_per_date max_created_ahead adopt_grace",
    "CancelFlowInstanceSpec": "flow_instance_id",
    "CreateWorkflowInstancesSpec": "project_id env_type workflow_id name type periods auto_start_enabled "
    "default_run_properties comment tags tag_creation_policy",
    "DateRange": "start_biz_date end_biz_date",
    "DefaultRunProperties": "mode parallelism order root_task_ids analysis run_policy alert runtime_resource priority "
    "priority_weight_strategy",
    "ExecuteAdhocWorkflowInstanceSpec": "project_id env_type name owner biz_date tasks",
    "Periods": "biz_dates start_time end_time",
    "RerunFilter": "rerun_downstream_enabled task_instance_statuses task_name task_types",
    "RerunWorkflowInstancesSpec": "project_id workflow_id env_type ids name status biz_date start_trigger_time "
    "end_trigger_time filter",
    "RunPolicy": "start_time end_time type immediately",
    "RerunTaskInstancesSpec": "ids comment use_latest_config",
    "SetSuccessTaskInstancesSpec": "ids comment",
    "StopTaskInstancesSpec": "ids comment",
    "SuspendTaskInstancesSpec": "ids comment",
    "ResumeTaskInstancesSpec": "ids comment",
    "StartWorkflowInstancesSpec": "ids comment",
    "StopWorkflowInstancesSpec": "ids comment",
    "Tag": "key value",
    "FlowParameter": "key",
    "TriggerFlowSpec": "flow_id trigger_time from_task_id parameters",
}
"""What a person sees of a spec in a list. A new field has to be put here, or among the payloads."""

SPECS: Final[dict[str, Any]] = {
    field.name: field.message_type for field in pb.Job.DESCRIPTOR.oneofs_by_name["spec"].fields
}


def in_specs() -> dict[str, Any]:
    """Every message of ours that a spec is made of."""
    found: dict[str, Any] = {}
    todo = list(SPECS.values())
    while todo:
        message = todo.pop()
        if is_ours(message) and message.name not in found:
            found[message.name] = message
            todo += [field.message_type for field in message.fields if field.message_type is not None]
    return found


def is_ours(message: Any) -> bool:
    return message is not None and message.full_name.startswith("headgate.") and not message.GetOptions().map_entry


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def fill(message: Message) -> None:
    """Give every field of a message and of what it holds a value; texts hold the secret."""
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof is not None and len(field.containing_oneof.fields) > 1:
            continue
        put(message, field)


def put(message: Any, field: Any) -> None:
    held = getattr(message, field.name)
    if is_map(field):
        held[SECRET] = SECRET
    elif field.message_type is not None and field.message_type.full_name == "google.protobuf.Struct":
        held.update({"key": SECRET})
    elif field.message_type is not None:
        inner = held.add() if field.is_repeated else held
        fill(inner)
        inner.SetInParent()
    elif field.is_repeated:
        held.append(sample(field))
    else:
        setattr(message, field.name, sample(field))


def sample(field: FieldDescriptor) -> Any:
    if field.type == field.TYPE_STRING:
        return SECRET
    if field.type == field.TYPE_BYTES:
        return SECRET.encode()
    return True if field.type == field.TYPE_BOOL else 1


def paths(message: Message) -> Iterator[str]:
    """Fields that are set, by name of their message and their own."""
    for field, value in message.ListFields():
        yield f"{message.DESCRIPTOR.name}.{field.name}"
        if is_ours(field.message_type):
            for part in value if field.is_repeated else (value,):
                yield from paths(part)


def filled(kind: str) -> pb.Job:
    job = pb.Job(name="jobs/t", labels={"team": "orders"})
    fill(getattr(job, kind))
    fill(job.runs.add())
    return job


def test_every_field_of_a_spec_is_shown_or_a_payload() -> None:
    payloads = {name.rpartition(".")[2]: set(fields) for name, fields in views.PAYLOADS.items()}
    for name, message in in_specs().items():
        shown = set(SHOWN.get(name, "").split())
        assert shown | payloads.get(name, set()) == set(message.fields_by_name), name
        assert not shown & payloads.get(name, set()), name


def test_all_messages_above_a_payload_are_looked_into() -> None:
    specs = {message.name for message in SPECS.values()}
    holders = {name.rpartition(".")[2] for name in views.PAYLOADS}
    for name, message in in_specs().items():
        inner = {field.message_type.name for field in message.fields if field.message_type is not None}
        assert name in specs | holders or not inner & holders, f"{name} hides {inner & holders}"


@pytest.mark.parametrize("kind", SPECS)
def test_a_basic_job_has_all_but_its_payloads(kind: str) -> None:
    job = filled(kind)
    untouched = job.SerializeToString(deterministic=True)
    payloads = {f"{name.rpartition('.')[2]}.{field}" for name, all_ in views.PAYLOADS.items() for field in all_}

    shown = views.basic(job)

    assert set(paths(shown)) == set(paths(job)) - payloads
    assert job.SerializeToString(deterministic=True) == untouched
    assert pb.Job.FromString(views.basic_bytes(untouched)) == shown


@pytest.mark.parametrize("kind", SPECS)
def test_a_basic_event_has_no_payload(kind: str) -> None:
    accepted = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, job=filled(kind))
    changed = pb.JobEvent(revision=7, type=pb.EVENT_TYPE_RUN_CHANGED, runs=accepted.job.runs)

    assert views.basic_event(accepted).job == views.basic(accepted.job)
    assert not views.basic_event(changed).runs[0].failure_digest.log_tail
    for event in (accepted, changed):
        shown = views.basic_event_bytes(event.revision, event.SerializeToString())
        assert pb.JobEvent.FromString(shown) == views.basic_event(event)


def test_an_event_without_payloads_is_handed_back_as_it_is() -> None:
    event = pb.JobEvent(revision=2, type=pb.EVENT_TYPE_WARNING, message="m")
    event.runs.add(index=3, state=pb.RUN_STATE_FAILED)
    body = event.SerializeToString()

    assert views.basic_event_bytes(2, body) is body
