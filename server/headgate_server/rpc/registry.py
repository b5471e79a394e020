"""All RPCs, found in the descriptors: each has a handler of its name, or stands in `unbuilt`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import grpc
from google.longrunning import operations_proto_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from headgate.reasons import Reason
from headgate.v1 import (
    admin_service_pb2,
    backfill_service_pb2,
    flow_instance_service_pb2,
    job_service_pb2,
    task_instance_service_pb2,
    workflow_instance_service_pb2,
)
from headgate_server.auth import permissions
from headgate_server.auth.access_control import AccessControl
from headgate_server.errors.exceptions import Refused
from headgate_server.ports.call import Call, Observer, ReplySink
from headgate_server.ports.caller import Right
from headgate_server.requests.unbuilt import UNBUILT
from headgate_server.rpc import handlers as rpc_handlers
from headgate_server.rpc import payload_view
from headgate_server.rpc.call_slots import CallSlots

_FILES: Final = (
    admin_service_pb2,
    backfill_service_pb2,
    flow_instance_service_pb2,
    job_service_pb2,
    task_instance_service_pb2,
    workflow_instance_service_pb2,
    operations_proto_pb2,
)

LONG_POLL_SECONDS: Final = 75.0
"""How long a long poll may take; it may wait for 60 s."""

PLAN_SECONDS: Final = 60.0
"""How long a plan may take, and a submit that compares one: it may look up every date."""

CHECK_SECONDS: Final = 60.0
"""How long a self-check may take: it reads and folds whole logs."""

_SECONDS: Final = {
    "headgate.v1.BackfillService.PlanBackfill": PLAN_SECONDS,
    "headgate.v1.BackfillService.CreateBackfill": PLAN_SECONDS,
    "headgate.v1.AdminService.CheckJobs": CHECK_SECONDS,
    "headgate.v1.JobService.ListJobEvents": LONG_POLL_SECONDS,
    "google.longrunning.Operations.WaitOperation": LONG_POLL_SECONDS,
}

APART: Final = (
    "/grpc.health.v1.Health/Watch",
    "/headgate.v1.BackfillService/PlanBackfill",
    "/headgate.v1.BackfillService/PlanLargeBackfill",
    "/headgate.v1.WorkflowInstanceService/WatchWorkflowInstances",
    "/headgate.v1.FlowInstanceService/WatchFlowInstances",
)
"""Methods whose calls wait in a queue of their own until they are taken; all others share one. The queues take turns,
so a burst of these holds up nothing else. Each costs every call half a microsecond, so only those are here that need no
right, or that are costly to refuse."""

SERVICES: Final[Mapping[str, ServiceDescriptor]] = {
    service.full_name: service for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()
}
"""Every service this server declares, by full name."""


def methods() -> Iterator[MethodDescriptor]:
    """Every RPC this server declares."""
    for service in SERVICES.values():
        yield from service.methods


class MethodTable(grpc.GenericRpcHandler):
    """What answers each method, found with one look; others are answered on their headers, too.

    Args:
        handlers: grpc handlers by "/package.Service/Method".
        unknown: answers calls of methods that there are not.
    """

    def __init__(self, handlers: Mapping[str, Any], unknown: Any) -> None:
        self._handlers = handlers
        self._unknown = unknown

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a call."""
        return self._handlers.get(handler_call_details.method, self._unknown)


def add_to(server: grpc.aio.Server, handlers: Mapping[str, Any], unknown: Any) -> None:
    """Have a server that has not started answer calls.

    Args:
        server: the server.
        handlers: grpc handlers by "/package.Service/Method".
        unknown: answers calls of methods that there are not.
    """
    for path in APART:
        _, service, method = path.split("/")
        server.add_registered_method_handlers(service, {method: handlers[path]})
    server.add_generic_rpc_handlers((MethodTable(handlers, unknown),))


def handlers(
    implementations: Mapping[str, object],
    observer: Observer,
    slots: CallSlots,
    access: AccessControl | None,
    resolve: rpc_handlers.Resolve,
) -> dict[str, Any]:
    """A grpc handler for each RPC, by "/package.Service/Method".

    Args:
        implementations: by full name of the service; an RPC's handler is the method of its name in snake case.
        observer: counts the calls that ended.
        slots: how many calls there may be.
        access: access control; None admits every call.
        resolve: puts the default connection's own name into requests of reads. Submits keep what their callers wrote,
            so that a repeat stays one, and so do plans and their tokens.

    Raises:
        AttributeError: an RPC has no handler and is not in `unbuilt`.
        KeyError: `permissions` does not say who may call an RPC.
    """
    return {
        f"/{name}/{method.name}": _handler(method, implementations.get(name), observer, slots, access, resolve)
        for name, service in SERVICES.items()
        for method in service.methods
    }


def snake(name: str) -> str:
    """An RPC's name as the name of its handler."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _handler(
    method: MethodDescriptor,
    implementation: object,
    observer: Observer,
    slots: CallSlots,
    access: AccessControl | None,
    resolve: rpc_handlers.Resolve,
) -> Any:
    request, name = GetMessageClass(method.input_type), method.full_name
    holds_payloads = payload_view.holds(method.output_type)
    edge = rpc_handlers.Edge(
        guard=access.guard(name) if access is not None else None,
        writes=permissions.RULES[name].right is Right.WRITE,
        resolve=resolve if permissions.reads_connection(name) else None,
        shown=GetMessageClass(method.output_type) if holds_payloads else None,
    )
    if method.server_streaming:
        return rpc_handlers.stream(name, request, _stream(name, implementation, method.name), observer, slots, edge)
    answer = _unbuilt if name in UNBUILT else getattr(implementation, snake(method.name))
    return rpc_handlers.unary(
        name, request, answer, observer, slots, edge, seconds=_SECONDS.get(name, rpc_handlers.UNARY_SECONDS)
    )


def _stream(name: str, implementation: object, method: str) -> rpc_handlers.Stream:
    found: rpc_handlers.Stream = _unbuilt_stream if name in UNBUILT else getattr(implementation, snake(method))
    return found


async def _unbuilt(_request: Any, _call: Call) -> bytes:
    raise Refused(Reason.METHOD_UNBUILT, "this method is not built yet; see GetServerInfo")


async def _unbuilt_stream(request: Any, call: Call, _sink: ReplySink) -> None:
    await _unbuilt(request, call)
