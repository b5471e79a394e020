"""Every field of the API reaches upstream, and every member that the SDK knows can be said; by their descriptors.

A field that is added and not passed on fails here, and so does a member that a newer SDK has and the API has not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import methodcaller
from typing import Any, Final

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from headgate import pb
from headgate_worker.core.model import calls
from headgate_worker.upstream.dataworks.requests.extra import UnsendableToDataWorks
from headgate_worker.upstream.dataworks.requests.prepared import prepare

KNOWN_WELL: Final[dict[str, Message]] = {
    Date.DESCRIPTOR.full_name: Date(year=2025, month=2, day=5),
    Timestamp.DESCRIPTOR.full_name: Timestamp(seconds=5),
    Struct.DESCRIPTOR.full_name: ParseDict({"NewerThanUs": "1"}, Struct()),
}
SCALARS: Final = {
    FieldDescriptor.CPPTYPE_STRING: "word",
    FieldDescriptor.CPPTYPE_BOOL: True,
    FieldDescriptor.CPPTYPE_INT32: 3,
    FieldDescriptor.CPPTYPE_INT64: 4,
}


def filled(message: Any) -> Any:
    """The message with something in each of its fields, all the way down."""
    for one in message.DESCRIPTOR.fields:
        if one.message_type is not None and one.message_type.GetOptions().map_entry:
            getattr(message, one.name)["old"] = "new"
        elif one.message_type is not None:
            part = getattr(message, one.name).add() if one.is_repeated else getattr(message, one.name)
            known = KNOWN_WELL.get(one.message_type.full_name)
            part.CopyFrom(known) if known is not None else filled(part)
        else:
            value = one.enum_type.values[1].number if one.enum_type is not None else SCALARS[one.cpp_type]
            getattr(message, one.name).append(value) if one.is_repeated else setattr(message, one.name, value)
    return message


def without_one(message: Any) -> Iterator[tuple[str, Any]]:
    """The message without one of its fields, each in turn, all the way down; and the path of what is missing."""
    for one, value in message.ListFields():
        yield one.name, changed(message, methodcaller("ClearField", one.name))
        part = value[0] if one.is_repeated and one.message_type is not None and hasattr(value, "add") else value
        if not isinstance(part, Message) or part.DESCRIPTOR.full_name in KNOWN_WELL:
            continue
        for path, less in without_one(part):
            yield f"{one.name}.{path}", changed(message, partial(put, one, less))


def changed(message: Any, change: Callable[[Any], None]) -> Any:
    """A changed copy."""
    copy = type(message)()
    copy.CopyFrom(message)
    change(copy)
    return copy


def put(one: FieldDescriptor, part: Message, message: Any) -> None:
    """Set a part of a message, the first of several."""
    held = getattr(message, one.name)
    (held[0] if one.is_repeated else held).CopyFrom(part)


def unsaid(model: Any) -> Iterator[str]:
    """Members of an SDK model that have no value, all the way down."""
    for name, value in vars(model).items():
        if name.startswith("_"):
            continue
        if value is None:
            yield name
        for part in value if isinstance(value, list) else [value]:
            if hasattr(part, "to_map"):
                yield from (f"{name}.{inner}" for inner in unsaid(part))


def sent(call: calls.Call) -> object:
    """What would be sent; why not, where it can't be."""
    try:
        prepared = prepare(call)
    except UnsendableToDataWorks as error:
        return str(error)
    return prepared.model.to_map(), dict(prepared.extra)


CREATE = filled(pb.CreateWorkflowInstancesSpec())
ADHOC = filled(pb.ExecuteAdhocWorkflowInstanceSpec())
RERUN = filled(pb.RerunWorkflowInstancesSpec())
SPECS = [(calls.CreateInstances, CREATE), (calls.ExecuteAdhoc, ADHOC), (calls.RerunInstances, RERUN)]


@pytest.mark.parametrize(("call", "spec"), SPECS, ids=[call.__name__ for call, _ in SPECS])
def test_every_field_of_the_api_changes_what_is_sent(call: Any, spec: Any) -> None:
    whole, fewer = sent(call(spec)), dict(without_one(spec))

    assert len(fewer) >= 10
    assert [path for path, less in fewer.items() if sent(call(less)) == whole] == INPUT_TYPES.get(call, [])


INPUT_TYPES: Final = {calls.ExecuteAdhoc: ["tasks.input_variables.type"]}
"""A variable has a type only where it is an output (seed 003)."""


@pytest.mark.parametrize(
    "call",
    [
        *[call(spec) for call, spec in SPECS],
        calls.StartInstances((1,), comment="why"),
        calls.StopInstances((1,), comment="why"),
        calls.GetTaskLog(1, run_number=2),
    ],
    ids=lambda call: type(call).__name__,
)
def test_every_member_that_the_sdk_knows_can_be_said(call: calls.Call) -> None:
    assert list(unsaid(prepare(call).model)) == []


def test_what_a_list_of_instances_cannot_say_is_known() -> None:
    """Statuses, which are in upstream's filter, are matched by headgate; the day of execution is not offered."""
    kind, env = pb.WORKFLOW_INSTANCE_TYPE_NORMAL, pb.ENV_TYPE_PROD
    more: dict[str, Any] = {"workflow_id": 4, "unified_workflow_instance_id": 5, "tags": ("team:",)}
    call = calls.ListInstances(1, 2, name="n", type=kind, env_type=env, ids=(3,), owner="me", **more)

    assert set(unsaid(prepare(call).model)) == {"filter"}
