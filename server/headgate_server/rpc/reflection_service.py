"""Server reflection, v1 and v1alpha, without a right, in slots that no other call needs.

Both have the same messages under another package name, so one handler answers both. The library has v1alpha only; the
file of v1 is made of that one, so that v1 can be asked about itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2

from headgate.reasons import Reason
from headgate_server.errors.exceptions import Refused
from headgate_server.ports.call import Observer
from headgate_server.rpc import handlers as rpc_handlers
from headgate_server.rpc.call_slots import CallSlots
from headgate_server.rpc.pending_requests import PendingRequests
from headgate_server.rpc.reflected_files import ReflectedFiles
from headgate_server.rpc.slot_table import SlotBounds

ALPHA: Final = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name
V1: Final = ALPHA.replace(".v1alpha.", ".v1.")

STREAMS: Final = SlotBounds(total=64, per_connection=8)
"""Streams that last longer than a second."""

MAX_STREAMS: Final = 512
"""Streams of all kinds."""

MAX_SECONDS: Final = 60.0
"""How long a stream lasts; clients open another when they have more to ask."""

MAX_REQUEST_BYTES: Final = 4_096
"""Longest request: an answer repeats it."""


def slots() -> CallSlots:
    """The slots of reflection."""
    return CallSlots(2 * MAX_STREAMS, PendingRequests(STREAMS, MAX_STREAMS, MAX_SECONDS))


def handlers(services: Iterable[str], observer: Observer, slots: CallSlots) -> dict[str, Any]:
    """A grpc handler for each version.

    Args:
        services: full names of all other services of the server.
        observer: counts the calls that ended.
        slots: how many calls there may be.
    """
    _declare_v1()
    files = ReflectedFiles((*services, ALPHA, V1), descriptor_pool.Default())
    method = f"{V1}.ServerReflectionInfo"

    def answer(raw: bytes) -> bytes:
        found: bytes = files.answer(_parsed(raw)).SerializeToString()
        return found

    return {
        f"/{name}/ServerReflectionInfo": rpc_handlers.exchange(method, answer, observer, slots) for name in (ALPHA, V1)
    }


def _parsed(raw: bytes) -> reflection_pb2.ServerReflectionRequest:
    if len(raw) > MAX_REQUEST_BYTES:
        raise Refused(Reason.MESSAGE_MALFORMED, f"a request to reflection has {MAX_REQUEST_BYTES:,} bytes at most")
    try:
        return reflection_pb2.ServerReflectionRequest.FromString(raw)
    except DecodeError:
        raise Refused(Reason.MESSAGE_MALFORMED, "the request can't be parsed") from None


def _declare_v1() -> None:
    """Put the file of v1 into the pool of all generated code, unless it is there."""
    alpha = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
    pool = descriptor_pool.Default()
    name = alpha.name.replace("/v1alpha/", "/v1/")
    try:
        pool.FindFileByName(name)
    except KeyError:
        pool.AddSerializedFile(_renamed(alpha, name).SerializeToString())


def _has_type_name(field: Any) -> bool:
    return bool(field.HasField("type_name"))


def _renamed(alpha: FileDescriptorProto, name: str) -> FileDescriptorProto:
    old, new = f".{alpha.package}.", f".{alpha.package.removesuffix('alpha')}."
    alpha.name, alpha.package = name, new.strip(".")
    for message in alpha.message_type:
        for field in filter(_has_type_name, message.field):
            field.type_name = field.type_name.replace(old, new)
    for service in alpha.service:
        for method in service.method:
            method.input_type, method.output_type = (
                each.replace(old, new) for each in (method.input_type, method.output_type)
            )
    return alpha
