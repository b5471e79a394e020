"""Callers of tests: a file that names some, their tokens, and any RPC made as one of them."""

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from headgate import pb
from headgate.store import keys
from headgate_server.auth import permissions
from headgate_server.requests import operation_names
from headgate_server.requests.named_job import named_job
from headgate_server.rpc import registry
from tests.server.world import reason_of

Metadata = Sequence[tuple[str, str]]

EXPIRED: Final = datetime(2020, 1, 1, tzinfo=UTC)
METHODS: Final = {method.full_name: method for method in registry.methods()}


def token_of(name: str) -> str:
    """The token of a caller, long enough to be told from other text in a log."""
    return f"hg_{hashlib.sha256(name.encode()).hexdigest()[:43]}"


def token_entry(token: str, expires: datetime | None = None) -> str:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f'{{sha256 = "{digest}"{f", expires = {expires.isoformat()}" if expires else ""}}}'


def entry(name: str, *tokens: str, rights: Sequence[str] = ("write", "payloads"), **given: Any) -> str:
    """The entry of one caller; without tokens it has the one of its name."""
    rows = ", ".join(tokens or [token_entry(token_of(name))])
    lines = [f"[callers.{name}]", f"rights = {list(rights)}", f"tokens = [{rows}]"]
    return "\n".join([*lines, *(f"{key} = {value!r}" for key, value in given.items())]) + "\n"


USUAL: Final = "\n".join(
    (
        entry("full"),
        entry("reader", rights=["read"]),
        entry("ours", connections=["a", ""]),
        entry("late", token_entry(token_of("late"), EXPIRED)),
    )
)
"""One who may do everything, one who may only read, one of some connections, and one whose token has expired."""


def write(path: Path, text: str = USUAL) -> Path:
    """Write the file so that the change can be seen: a file system's clock may be coarse."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    if before:
        os.utime(fresh, ns=(before + 1_000_000_000, before + 1_000_000_000))
    fresh.rename(path)
    return path


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def known(name: str) -> Metadata:
    return bearer(token_of(name))


def request_of(method: MethodDescriptor, *, connection: str, job_id: str) -> Any:
    """A request of a method that is about a connection, or about a job."""
    request: Any = GetMessageClass(method.input_type)()
    match permissions.RULES[method.full_name].scope:
        case permissions.Scope.CONNECTION:
            request.connection = connection
        case permissions.Scope.CARRIED:
            request.backfill.connection = connection
        case permissions.Scope.JOB:
            named_job(request).name = keys.job_name(job_id)
            if isinstance(request, pb.UpdateJobRequest):
                request.job.priority = 7
        case permissions.Scope.OPERATION:
            request.name = operation_names.operation_name(job_id)
            if method.name == "WaitOperation":
                request.timeout.FromMilliseconds(10)
    return request


async def status_and_details(channel: grpc.aio.Channel, method: MethodDescriptor, request: Any, who: Metadata) -> Any:
    """The error that a call ends with; None when it succeeds, or when a stream says something."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    reply = GetMessageClass(method.output_type)
    kind = channel.unary_stream if method.server_streaming else channel.unary_unary
    call: Any = kind(path, type(request).SerializeToString, reply.FromString)(request, metadata=who, timeout=20)
    try:
        await (call.read() if method.server_streaming else call)
    except grpc.RpcError as error:
        return error
    finally:
        call.cancel()
    return None


async def outcome(channel: grpc.aio.Channel, method: MethodDescriptor, request: Any, who: Metadata) -> str:
    """The reason that a call is refused for, or "OK"."""
    error = await status_and_details(channel, method, request, who)
    return "OK" if error is None else reason_of(error)
