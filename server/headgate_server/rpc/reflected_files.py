"""Answers of server reflection from a pool of descriptors, with methods, and with the JSON names of fields. Pure.

Generated Python code leaves JSON names out of its descriptors, and the pool finds no methods by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

_KEPT: Final = 256
"""Answers and files that are kept ready. There are fewer names than that worth asking for often."""


class ReflectedFiles:
    """What can be asked of a pool.

    Args:
        services: full names of the services that are listed.
        pool: holds their files and what those import.
    """

    def __init__(self, services: Iterable[str], pool: DescriptorPool) -> None:
        self._services = sorted(services)
        self._pool = pool
        self._closure = lru_cache(_KEPT)(_closure)

    def answer(self, request: ServerReflectionRequest) -> ServerReflectionResponse:
        """The answer to a request, which repeats it."""
        response = ServerReflectionResponse(valid_host=request.host, original_request=request)
        try:
            self._fill(response, request)
        except (KeyError, TypeError):
            _fail(response, grpc.StatusCode.NOT_FOUND, "there is no such thing")
        return response

    def _fill(self, response: ServerReflectionResponse, request: ServerReflectionRequest) -> None:
        asked = request.WhichOneof("message_request")
        match asked:
            case "list_services":
                named = [pb.ServiceResponse(name=name) for name in self._services]
                response.list_services_response.service.extend(named)
            case "file_by_filename":
                self._add(response, self._pool.FindFileByName(request.file_by_filename))
            case "file_containing_symbol":
                self._add(response, self._file_of(request.file_containing_symbol))
            case "file_containing_extension":
                self._add(response, self._file_of_extension(request.file_containing_extension))
            case "all_extension_numbers_of_type":
                self._number(response, request.all_extension_numbers_of_type)
            case _:
                _fail(response, grpc.StatusCode.INVALID_ARGUMENT, "the request asks for nothing")

    def _add(self, response: ServerReflectionResponse, file: FileDescriptor) -> None:
        response.file_descriptor_response.file_descriptor_proto.extend(self._closure(file))

    def _file_of(self, symbol: str) -> FileDescriptor:
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file

    def _file_of_extension(self, asked: pb.ExtensionRequest) -> FileDescriptor:
        extended = self._pool.FindMessageTypeByName(asked.containing_type)
        extension: Any = self._pool.FindExtensionByNumber(extended, asked.extension_number)
        file: FileDescriptor = extension.file
        return file

    def _number(self, response: ServerReflectionResponse, name: str) -> None:
        extended = self._pool.FindMessageTypeByName(name)
        found = response.all_extension_numbers_response
        found.base_type_name = extended.full_name
        found.extension_number.extend(sorted(each.number for each in self._pool.FindAllExtensions(extended)))


def _fail(response: ServerReflectionResponse, code: grpc.StatusCode, message: str) -> None:
    response.error_response.error_code = code.value[0]
    response.error_response.error_message = message


def _closure(file: FileDescriptor) -> tuple[bytes, ...]:
    """A file and all that it imports, itself first, serialised."""
    found: dict[str, FileDescriptor] = {}
    left = [file]
    while left:
        next_file = left.pop()
        if next_file.name not in found:
            found[next_file.name] = next_file
            left += next_file.dependencies
    return tuple(_serialized(each) for each in found.values())


@lru_cache(_KEPT)
def _serialized(file: FileDescriptor) -> bytes:
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    for field, descriptor in _fields(proto, file):
        field.json_name = descriptor.json_name
    return proto.SerializeToString()


def _fields(proto: FileDescriptorProto, file: FileDescriptor) -> Iterator[tuple[Any, Any]]:
    """Every field of a file, with its descriptor."""
    yield from ((each, file.extensions_by_name[each.name]) for each in proto.extension)
    left: list[tuple[Any, Any]] = [(each, file.message_types_by_name[each.name]) for each in proto.message_type]
    while left:
        message, descriptor = left.pop()
        yield from ((each, descriptor.fields_by_name[each.name]) for each in message.field)
        yield from ((each, descriptor.extensions_by_name[each.name]) for each in message.extension)
        left += [(each, descriptor.nested_types_by_name[each.name]) for each in message.nested_type]
