"""The published descriptor set is enough: a client that has nothing else decodes every answer and every error."""

from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2

from headgate import pb
from headgate_server.rpc import registry
from tests.architecture.api_lines import DESCRIPTOR
from tests.server.world import World, status_of

DETAILS = [name for name, kind in vars(error_details_pb2).items() if hasattr(kind, "DESCRIPTOR") and name[0].isupper()]


@pytest.fixture(scope="module")
def pool() -> descriptor_pool.DescriptorPool:
    found = descriptor_pool.DescriptorPool()
    for file in FileDescriptorSet.FromString(DESCRIPTOR.read_bytes()).file:
        found.Add(file)  # refuses a file whose imports do not stand before it
    return found


def decoded(pool: descriptor_pool.DescriptorPool, packed: AnyMessage) -> Any:
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(packed.type_url.rpartition("/")[2]))
    return kind.FromString(packed.value)


async def test_a_refusal_is_decoded_with_every_detail(world: World, pool: descriptor_pool.DescriptorPool) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.jobs.GetJob(pb.GetJobRequest(name="jobs/NOT-A-NAME"))
    details = [decoded(pool, packed) for packed in status_of(caught.value).details]

    assert details[0].reason == "FIELD_INVALID"
    assert details[1].field_violations[0].field == "name"


@pytest.mark.parametrize("name", sorted(DETAILS))
def test_every_kind_of_detail_is_known(name: str, pool: descriptor_pool.DescriptorPool) -> None:
    assert pool.FindMessageTypeByName(f"google.rpc.{name}")


@pytest.mark.parametrize("service", sorted(registry.SERVICES))
def test_every_service_that_is_served_is_known(service: str, pool: descriptor_pool.DescriptorPool) -> None:
    assert pool.FindServiceByName(service).methods


def test_comments_are_those_of_our_own_files() -> None:
    told = {
        file.package
        for file in FileDescriptorSet.FromString(DESCRIPTOR.read_bytes()).file
        if file.source_code_info.location
    }

    assert told == {"headgate.v1"}
