"""What server reflection answers from a pool of descriptors."""

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import ExtensionRequest, ServerReflectionRequest, ServerReflectionResponse

from headgate import pb
from headgate_server.rpc.reflected_files import ReflectedFiles

FILES = ReflectedFiles(["b.B", "a.A"], descriptor_pool.Default())
JOB_FILE = pb.Job.DESCRIPTOR.file.name


def ask(**given: object) -> ServerReflectionResponse:
    request = ServerReflectionRequest(host="here", **given)  # one of its oneof
    found = FILES.answer(request)
    assert found.original_request == request and found.valid_host == "here"
    return found


def files(found: ServerReflectionResponse) -> list[FileDescriptorProto]:
    return [FileDescriptorProto.FromString(raw) for raw in found.file_descriptor_response.file_descriptor_proto]


def test_services_are_listed_in_order() -> None:
    assert [row.name for row in ask(list_services="*").list_services_response.service] == ["a.A", "b.B"]


@pytest.mark.parametrize(
    "given",
    [
        {"file_by_filename": JOB_FILE},
        {"file_containing_symbol": "headgate.v1.Job"},
        {"file_containing_symbol": "headgate.v1.Job.name"},
    ],
)
def test_a_file_comes_first_and_all_that_it_imports_once(given: dict[str, str]) -> None:
    found = files(ask(**given))

    names = [file.name for file in found]
    assert names[0] == JOB_FILE and len(set(names)) == len(names)
    assert {name for file in found for name in file.dependency} <= set(names)


def test_a_method_is_found_by_its_name() -> None:
    found = files(ask(file_containing_symbol="headgate.v1.JobService.GetJob"))

    assert found[0].service[0].name == "JobService"


def test_fields_have_their_json_names() -> None:
    (job,) = [message for message in files(ask(file_by_filename=JOB_FILE))[0].message_type if message.name == "Job"]

    assert {field.name: field.json_name for field in job.field}["create_time"] == "createTime"


def test_extensions_are_numbered_and_found() -> None:
    options = "google.protobuf.MethodOptions"

    found = ask(all_extension_numbers_of_type=options).all_extension_numbers_response

    assert found.base_type_name == options and list(found.extension_number) == sorted(found.extension_number)
    number = found.extension_number[0]
    extension = ExtensionRequest(containing_type=options, extension_number=number)
    (file, *_) = files(ask(file_containing_extension=extension))
    assert number in {each.number for each in file.extension}


@pytest.mark.parametrize(
    "given",
    [
        {"file_by_filename": "no/such.proto"},
        {"file_containing_symbol": "no.Such"},
        {"file_containing_extension": ExtensionRequest(containing_type="google.protobuf.Any", extension_number=1)},
        {"all_extension_numbers_of_type": "no.Such"},
    ],
)
def test_what_is_not_there_is_not_found(given: dict[str, object]) -> None:
    assert ask(**given).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_a_request_for_nothing_is_told_so() -> None:
    assert ask().error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
