"""Server reflection as foreign tools use it, in both versions."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2 as pb

from headgate_server.rpc import listener, pending_requests, reflection_service, registry
from headgate_server.rpc.slot_table import SlotBounds
from tests.server.rpc.test_pending_requests import count, end_of
from tests.server.world import World, reason_of, serving, until

VERSIONS = pytest.mark.parametrize("service", ["grpc.reflection.v1.ServerReflection", reflection_service.ALPHA])


def stream(world: World, service: str) -> Any:
    """An open stream of bytes: both versions are the same on the wire."""
    call: Any = world.channel.stream_stream(f"/{service}/ServerReflectionInfo")()
    return call


async def ask(world: World, service: str, *requests: pb.ServerReflectionRequest) -> list[Any]:
    async def given() -> AsyncIterator[bytes]:
        for request in requests:
            yield request.SerializeToString()

    call: Any = world.channel.stream_stream(f"/{service}/ServerReflectionInfo")
    return [pb.ServerReflectionResponse.FromString(raw) async for raw in call(given(), timeout=10)]


def files(response: Any) -> list[FileDescriptorProto]:
    return [FileDescriptorProto.FromString(raw) for raw in response.file_descriptor_response.file_descriptor_proto]


def pool_of(found: Sequence[FileDescriptorProto]) -> descriptor_pool.DescriptorPool:
    """A pool of files that come in any order."""
    pool, left = descriptor_pool.DescriptorPool(), {each.name: each for each in found}

    def add(name: str) -> None:
        if (file := left.pop(name, None)) is not None:
            for dependency in file.dependency:
                add(dependency)
            pool.Add(file)

    for name in list(left):
        add(name)
    return pool


@VERSIONS
async def test_every_service_is_listed(world: World, service: str) -> None:
    [found] = await ask(world, service, pb.ServerReflectionRequest(list_services=""))

    both = {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
    names = [each.name for each in found.list_services_response.service]
    assert set(names) == {*registry.SERVICES, *both, "grpc.health.v1.Health"}
    assert found.original_request.HasField("list_services")


@VERSIONS
@pytest.mark.parametrize(
    "symbol",
    [
        "headgate.v1.JobService",
        "headgate.v1.JobService.WatchJob",
        "headgate.v1.Job",
        "google.longrunning.Operations.GetOperation",
        "grpc.reflection.v1.ServerReflection.ServerReflectionInfo",
        "grpc.reflection.v1.ServerReflectionRequest",
        "grpc.health.v1.Health.Check",
    ],
)
async def test_what_has_a_name_is_found_with_all_that_it_needs(world: World, service: str, symbol: str) -> None:
    [found] = await ask(world, service, pb.ServerReflectionRequest(file_containing_symbol=symbol))

    assert has(pool_of(files(found)), symbol)


def has(pool: descriptor_pool.DescriptorPool, symbol: str) -> bool:
    try:
        return bool(pool.FindFileContainingSymbol(symbol))
    except KeyError:
        return bool(pool.FindMethodByName(symbol))


async def test_fields_have_their_json_names(world: World) -> None:
    [found] = await ask(
        world, reflection_service.V1, pb.ServerReflectionRequest(file_containing_symbol="headgate.v1.BackfillSpec")
    )

    names = {
        field.name: field.json_name
        for file in files(found)
        for message in file.message_type
        for field in message.field
        if file.package == "headgate.v1"
    }
    assert (names["biz_dates"], names["project_id"], names["name"]) == ("bizDates", "projectId", "name")
    assert all(names.values())


async def test_what_there_is_not_is_said_and_the_stream_goes_on(world: World) -> None:
    symbols = ("headgate.v1.Nothing", "headgate.v1.JobService.Nothing", "", "headgate.v1.Job")
    found = await ask(
        world,
        reflection_service.V1,
        *(pb.ServerReflectionRequest(file_containing_symbol=symbol) for symbol in symbols),
        pb.ServerReflectionRequest(),
        pb.ServerReflectionRequest(file_by_filename="headgate/v1/job.proto"),
        pb.ServerReflectionRequest(all_extension_numbers_of_type="google.protobuf.FieldOptions"),
        pb.ServerReflectionRequest(
            file_containing_extension=pb.ExtensionRequest(
                containing_type="google.protobuf.FieldOptions", extension_number=1159
            )
        ),
    )

    assert [each.error_response.error_code for each in found] == [5, 5, 5, 0, 3, 0, 0, 0]
    assert 1159 in found[6].all_extension_numbers_response.extension_number
    assert files(found[7])[0].name == "buf/validate/validate.proto"


async def test_a_long_request_is_refused(world: World) -> None:
    request = pb.ServerReflectionRequest(file_by_filename="x" * reflection_service.MAX_REQUEST_BYTES)

    with pytest.raises(grpc.RpcError) as caught:
        await ask(world, reflection_service.V1, request)

    assert reason_of(caught.value) == "MESSAGE_MALFORMED"


async def test_open_streams_take_no_slot_of_others_and_have_an_end(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_requests, "PROMPT_SECONDS", 0.1)
    monkeypatch.setattr(pending_requests, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(listener, "SPARE_CALLS", 4)
    monkeypatch.setattr(reflection_service, "STREAMS", SlotBounds(total=8, per_connection=3))
    monkeypatch.setattr(reflection_service, "MAX_SECONDS", 3.0)
    async with serving(redis_url, max_watches=1) as world:
        calls = [stream(world, reflection_service.V1) for _ in range(20)]
        await until(lambda: sum(call.done() for call in calls) == 17)

        await count(world)
        async with asyncio.timeout(20):
            reasons = Counter([reason_of(await end_of(call)) for call in calls])
        assert reasons == {"CALLER_LIMIT": 17, "REQUEST_OVERDUE": 3}
