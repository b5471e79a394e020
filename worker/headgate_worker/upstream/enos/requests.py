"""Turn a call into a request: path, query and body. Pure, and the only place that knows EnOS' request members."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate import pb
from headgate_worker.core.model import calls, flow_calls
from headgate_worker.upstream.enos.settings import EnosSettings
from headgate_worker.upstream.enos.statuses import NUMBERS
from headgate_worker.upstream.http.failures import UnsendableCall

TYPES: Mapping[pb.FlowInstanceType.ValueType, int] = {
    pb.FLOW_INSTANCE_TYPE_UNSPECIFIED: 1,
    pb.FLOW_INSTANCE_TYPE_MANUAL: 0,
    pb.FLOW_INSTANCE_TYPE_PERIODIC: 1,
    pb.FLOW_INSTANCE_TYPE_TEMPORARY: 2,
}
"""How instances came to be, by EnOS' numbers; unsaid is periodic."""


class UnsendableToEnos(UnsendableCall):
    """A call that EnOS, or this generation of it, does not have."""


@dataclass(frozen=True, slots=True)
class EnosRequest:
    """A request that can be signed and sent.

    Args:
        path: below the gateway's address.
        query: decoded.
        body: exact JSON text; empty for a GET.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: str = ""


def prepare(call: calls.Call, settings: EnosSettings) -> EnosRequest:
    """The request of a call. Raises Unsendable."""
    build = _BUILDERS.get(type(call))
    if build is None:
        raise UnsendableToEnos(f"EnOS has no {calls.ACTIONS[type(call)]}; the connection is of another kind")
    return build(call, settings)


def _request(
    settings: EnosSettings, resource: str, action: str, body: Mapping[str, Any] | None = None, **query: str
) -> EnosRequest:
    everyone = {"action": action, "userId": settings.user_id, "orgId": settings.org_id, **query}
    path = f"{settings.base_path}/{resource}"
    if body is None:
        return EnosRequest("GET", path, everyone)
    return EnosRequest("POST", path, everyone, json.dumps(body, ensure_ascii=False))


def _get(call: flow_calls.GetFlow, settings: EnosSettings) -> EnosRequest:
    return _request(settings, "flowInstances", "get", flowInstId=call.instance_id)


def _cancel(call: flow_calls.CancelFlow, settings: EnosSettings) -> EnosRequest:
    return _request(settings, "flowInstances", "cancel", {"flowInstId": call.instance_id})


def _log(call: flow_calls.GetFlowTaskLog, settings: EnosSettings) -> EnosRequest:
    return _request(
        settings, "taskInstances", "getLog", taskInstId=call.task_instance_id, maxLength=str(call.max_length)
    )


def _list(call: flow_calls.ListFlows, settings: EnosSettings) -> EnosRequest:
    body = {
        "type": TYPES[call.type],
        "expression": call.expression,
        "owner": call.owner,
        "fromTriggerTime": call.from_ms,
        "toTriggerTime": call.to_ms,
        "status": ",".join(str(NUMBERS[one]) for one in call.statuses),
        "pagination": {"pageNo": call.page + settings.first_page, "pageSize": call.page_size, "sorters": []},
    }
    return _request(settings, "flowInstances", "search", body)


def _trigger(call: flow_calls.TriggerFlow, settings: EnosSettings) -> EnosRequest:
    body: dict[str, Any] = {"flowId": call.flow_id, "triggerTime": call.trigger_ms}
    if call.from_task_id:
        if settings.generation == "v2.0":
            raise UnsendableToEnos("EnOS v2.0 has no trigger from a task; it needs v2.1")
        return _request(settings, "flows", "triggerFromTask", {**body, "taskId": call.from_task_id})
    if call.parameters:
        rows = [{"key": key, "value": value} for key, value in call.parameters]
        return _request(settings, "flows", "updateAndTrigger", {**body, "parameters": rows})
    return _request(settings, "flows", "trigger", body)


_BUILDERS: Mapping[type, Callable[[Any, EnosSettings], EnosRequest]] = {
    flow_calls.GetFlow: _get,
    flow_calls.CancelFlow: _cancel,
    flow_calls.GetFlowTaskLog: _log,
    flow_calls.ListFlows: _list,
    flow_calls.TriggerFlow: _trigger,
}
