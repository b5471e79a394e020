"""How large and how deep a request may be: at a bound it is taken and can be shown, beyond it it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
import pytest
from google.longrunning import operations_grpc_pb2
from google.longrunning import operations_proto_pb2 as lro
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from buf.validate import validate_pb2
from headgate import pb
from headgate.store import keys
from headgate_server.errors.exceptions import Refused
from headgate_server.requests import bounds, validator
from headgate_server.rpc import listener, registry
from tests.server.requests.test_pattern_words import is_judged_by_code
from tests.server.world import World, backfill, fields_of, reason_of, status_of

REQUESTS: Final[list[Any]] = sorted({m.input_type for m in registry.methods()}, key=lambda one: one.full_name)


def fields(descriptor: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every field of a request as the way to it; a type that holds itself is entered once."""
    for field in descriptor.fields:
        yield (*path, field)
        inner = field.message_type
        if inner is not None and inner not in [step.message_type for step in path]:
            yield from fields(inner, (*path, field))


def is_recursive(descriptor: Any) -> bool:
    return any(way[-1].message_type == descriptor for way in fields(descriptor))


def json_ways() -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every field of every request that holds JSON, the outermost only."""
    for request in REQUESTS:
        for way in fields(request):
            names = [step.message_type.full_name if step.message_type else "" for step in way]
            if names[-1] in bounds.JSON_TYPES and not set(names[:-1]) & bounds.JSON_TYPES:
                yield request, way


JSON_WAYS: Final = {
    f"{request.name}: {'.'.join(step.name for step in way)}": (request, way) for request, way in json_ways()
}


def lists(levels: int) -> Value:
    value = Value(string_value="innermost")
    for _ in range(levels):
        value = Value(list_value=ListValue(values=[value]))
    return value


def objects(levels: int) -> Value:
    value = Value(null_value=0)  # type: ignore[arg-type]
    for _ in range(levels):
        value = Value(struct_value=Struct(fields={"a": value}))
    return value


SHAPES: Final[dict[str, Callable[[int], Value]]] = {"lists": lists, "objects": objects}


def put(request: Message, way: tuple[Any, ...], value: Value) -> str:
    """Puts a value into the JSON field at the end of a way; the path that a complaint names."""
    held: Any = request
    for step in way:
        held = getattr(held, step.name)
        held = held.add() if step.is_repeated else held
    if isinstance(held, Struct):
        held.fields["a"].CopyFrom(value)
    elif isinstance(held, ListValue):
        held.values.append(value)
    else:
        held.CopyFrom(Value(list_value=ListValue(values=[value])))
    return ".".join(step.name + ("[0]" if step.is_repeated else "") for step in way)


def test_only_json_is_recursive_in_requests() -> None:
    types = {way[-1].message_type.full_name: way[-1].message_type for way in all_fields() if way[-1].message_type}
    recursive = {name for name, found in types.items() if is_recursive(found) and not found.GetOptions().map_entry}

    assert recursive == bounds.JSON_TYPES, "a new recursive type needs a bound of its own"


def all_fields() -> Iterator[tuple[Any, ...]]:
    for request in REQUESTS:
        yield from fields(request)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("where", JSON_WAYS)
def test_every_json_field_is_bounded_in_depth(where: str, shape: str) -> None:
    request_type, way = JSON_WAYS[where]
    good, deep = (GetMessageClass(request_type)() for _ in range(2))
    put(good, way, SHAPES[shape](bounds.MAX_JSON_LEVELS - 1))
    path = put(deep, way, SHAPES[shape](bounds.MAX_JSON_LEVELS))

    assert bounds.violations(good) == []
    assert [field for field, _ in bounds.violations(deep)] == [path]
    assert "nested" in bounds.violations(deep)[0][1]


@pytest.mark.parametrize("where", JSON_WAYS)
def test_every_json_field_is_bounded_in_values_bytes_names_and_kinds(where: str) -> None:
    request_type, way = JSON_WAYS[where]
    many = bounds.MAX_JSON_VALUES - 1  # the list that holds them is one, too
    wrong = {
        "values": Value(list_value=ListValue(values=[Value(bool_value=True)] * (many + 1))),
        "bytes": Value(string_value="x" * bounds.MAX_JSON_BYTES),
        "name": Value(struct_value=Struct(fields={"é" * 129: Value(bool_value=True)})),
        "kind": Value(list_value=ListValue(values=[Value()])),
        "number": Value(number_value=float("nan")),
    }
    good = GetMessageClass(request_type)()
    put(good, way, Value(list_value=ListValue(values=[Value(bool_value=True)] * many)))

    assert bounds.violations(good) == []
    for word, value in wrong.items():
        request = GetMessageClass(request_type)()
        path = put(request, way, value)
        ((field, said),) = bounds.violations(request)
        assert field == path and word in said


@pytest.mark.parametrize("request_type", REQUESTS, ids=lambda one: str(one.name))
def test_every_text_and_list_of_a_request_is_bounded(request_type: Any) -> None:
    if not request_type.full_name.startswith("headgate."):
        return
    unbounded = [
        ".".join(step.name for step in way)
        for way in fields(request_type)
        if all(step.containing_type.full_name.startswith("headgate.") for step in way)
        and not any(map(is_judged_by_code, way))
        and not is_bounded(way[-1])
    ]

    assert not unbounded


def is_bounded(field: Any) -> bool:
    rules = field.GetOptions().Extensions[validate_pb2.field]
    if field.containing_type.GetOptions().map_entry:
        return True  # told by the rules of the map
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name
        texts = ((inner["key"], rules.map.keys), (inner["value"], rules.map.values))
        return rules.map.HasField("max_pairs") and all(is_short(one, rule) for one, rule in texts)
    if field.is_repeated:
        return rules.repeated.HasField("max_items") and is_short(field, rules.repeated.items)
    return is_short(field, rules)


def is_short(field: Any, rules: Any) -> bool:
    if field.type not in (field.TYPE_STRING, field.TYPE_BYTES):
        return True
    text = rules.string
    anchored = (
        text.pattern.startswith("^")
        and text.pattern.endswith("$")
        and "*" not in text.pattern.replace("[a-z0-9-]{0,61}", "")
    )
    return text.HasField("max_len") or text.HasField("max_bytes") or anchored


def adhoc(script_bytes: int) -> pb.ExecuteAdhocWorkflowInstanceRequest:
    request = pb.ExecuteAdhocWorkflowInstanceRequest()
    spec = request.spec
    spec.project_id, spec.env_type, spec.name, spec.owner = 1, pb.ENV_TYPE_PROD, "check", "me"
    for index in range(3):
        spec.tasks.add(
            client_unique_code=str(index), name="one", type="ODPS_SQL", owner="me", resource_group_id="group"
        )
    for index, size in enumerate((script_bytes // 2, script_bytes - script_bytes // 2)):
        spec.tasks[index].script_content = "x" * size
    return request


def test_a_request_is_taken_up_to_the_last_byte() -> None:
    fixed = adhoc(bounds.MAX_REQUEST_BYTES - 1000).ByteSize() - (bounds.MAX_REQUEST_BYTES - 1000)
    whole = adhoc(bounds.MAX_REQUEST_BYTES - fixed)
    assert whole.ByteSize() == bounds.MAX_REQUEST_BYTES
    validator.check(whole)

    whole.spec.tasks[2].name = "four"
    with pytest.raises(Refused) as refused:
        validator.check(whole)
    assert "bytes" in refused.value.message


def test_a_request_that_is_too_large_names_what_makes_it_so() -> None:
    request = adhoc(0)
    request.spec.tasks[1].script_content = "x" * (bounds.MAX_REQUEST_BYTES + 1)

    ((path, _),) = bounds.violations(request)

    assert path == "spec.tasks[1].script_content"


async def test_a_request_that_is_too_large_is_refused_by_field_and_one_far_larger_by_size(world: World) -> None:
    for size, code in (
        (bounds.MAX_REQUEST_BYTES, "INVALID_ARGUMENT"),
        (listener.MAX_REQUEST_BYTES, "RESOURCE_EXHAUSTED"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.instances.ExecuteAdhocWorkflowInstance(adhoc(size))
        assert refused.value.code().name == code


async def test_the_limits_are_told(world: World) -> None:
    limits = (await world.admin.GetServerInfo(pb.GetServerInfoRequest())).limits

    assert bounds.LIMITS.items() <= dict(limits).items()


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_is_as_deep_as_may_be_can_be_shown_everywhere(world: World, shape: str) -> None:
    request = backfill(job_id="deep")
    request.spec.extra.fields["a"].CopyFrom(SHAPES[shape](bounds.MAX_JSON_LEVELS - 1))
    job = await world.backfills.CreateBackfill(request)
    operations: Any = operations_grpc_pb2.OperationsStub(world.channel)

    assert (await world.jobs.GetJob(pb.GetJobRequest(name=job.name))).backfill.extra == request.spec.extra
    assert list((await world.jobs.ListJobs(pb.ListJobsRequest(view=pb.JOB_VIEW_FULL))).jobs) == [job]
    events = await world.jobs.ListJobEvents(pb.ListJobEventsRequest(name=job.name))
    assert events.job_events[0].job == job
    snapshot = await world.watch("deep").read()
    assert isinstance(snapshot, pb.WatchJobResponse) and snapshot.snapshot == job
    operation = await operations.GetOperation(lro.GetOperationRequest(name="operations/deep"))
    for message in (job, events, snapshot, operation):
        assert "deep" in MessageToJson(message)
    await world.jobs.CancelJob(pb.CancelJobRequest(name=job.name))


async def test_what_is_deeper_is_refused_before_it_is_recorded(world: World) -> None:
    request = backfill(job_id="deeper")
    request.spec.extra.fields["a"].CopyFrom(lists(48))

    with pytest.raises(grpc.RpcError) as refused:
        await world.backfills.CreateBackfill(request)

    assert reason_of(refused.value) == "FIELD_INVALID"
    assert fields_of(status_of(refused.value)) == {"spec.extra"}
    assert not await world.redis.exists(keys.job("deeper"))


async def test_what_no_field_is_known_for_is_not_recorded(world: World) -> None:
    """Groups of an unknown number may be as deep as protobuf reads them, which is deeper than what holds them later."""
    deep = b"\xfb\x3e" * 96 + b"\xfc\x3e" * 96
    raw = backfill(job_id="unknown").SerializeToString()
    call: Any = world.channel.unary_unary("/headgate.v1.BackfillService/CreateBackfill")

    await call(raw + b"\x0a" + varint(len(deep)) + deep)

    stored = await world.redis.lindex(keys.log("unknown"), 0)  # type: ignore[misc]
    assert b"\xfb\x3e" not in stored
    page = await world.jobs.ListJobs(pb.ListJobsRequest(view=pb.JOB_VIEW_FULL))
    assert [job.name for job in page.jobs] == ["jobs/unknown"]


def varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7]) if value > 0x7F else bytes([value])
