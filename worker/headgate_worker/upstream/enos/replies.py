"""Turn a reply into what a call brings. Pure; raises MalformedReply naming the member at fault.

Strict where a decision hangs on it (which instance, how many rows), loose everywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.upstream.enos import rows
from headgate_worker.upstream.enos.graph import mended
from headgate_worker.upstream.enos.loose import listed, whole
from headgate_worker.upstream.http.failures import load_json

LOG_LENGTH = (1 << 20) + 1
"""Characters of a log that are kept: the most that the API gives, and one that shows that there is more."""
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class MalformedEnosReply(Exception):
    """A reply that can't be used; `field` names the member at fault."""

    def __init__(self, field: str) -> None:
        super().__init__(f"the reply's {field} is missing or makes no sense")
        self.field = field


@dataclass(frozen=True, slots=True)
class EnosReplyContext:
    """When a reply was read, and the zones of its times."""

    time: Timestamp
    zones: rows.Zones


def decode(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a reply, empty where there is none. First strictly, then with its graphs mended."""
    for attempt in (lambda: body, lambda: mended(body.decode("utf-8", "replace"))):
        try:
            found = load_json(attempt())
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, dict) else {}
    return {}


def read(call: UpstreamCall[Body], body: Mapping[str, Any], reading: EnosReplyContext) -> Body:
    """What the reply to `call` brings. Raises MalformedReply."""
    found: Body = _READERS[type(call)](call, body.get("data"), reading)
    return found


def _triggered(call: flow_calls.TriggerFlow, data: object, reading: EnosReplyContext) -> flow_calls.FlowTriggered:
    found = _members(data, "data").get("flowInstanceId")
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise MalformedEnosReply("data.flowInstanceId")
    return flow_calls.FlowTriggered(found)


def _cancelled(call: flow_calls.CancelFlow, data: object, reading: EnosReplyContext) -> flow_calls.FlowCancelled:
    return flow_calls.FlowCancelled()


def _instance(call: flow_calls.GetFlow, data: object, reading: EnosReplyContext) -> pb.FlowInstance:
    found = _row(_members(data, "data"), reading, "data")
    if found.instance_id != call.instance_id:
        raise MalformedEnosReply("data.instanceId")
    return found


def _page(call: flow_calls.ListFlows, data: object, reading: EnosReplyContext) -> flow_calls.FlowPage:
    """Rows and total. A page that should have rows and has none is malformed, never "nothing there"."""
    members = _members(data, "data")
    if "count" not in members or not isinstance(members.get("flowInsts"), list | None):
        raise MalformedEnosReply("data.flowInsts")
    found = listed(members, "flowInsts")
    total = whole(members, "count")
    if not found and total > call.page * call.page_size:
        raise MalformedEnosReply("data.flowInsts")
    if len(found) > total:
        raise MalformedEnosReply("data.count")
    return flow_calls.FlowPage(tuple(_row(_members(one, "row"), reading, "data.flowInsts") for one in found), total)


def _log(call: flow_calls.GetFlowTaskLog, data: object, reading: EnosReplyContext) -> flow_calls.FlowTaskLog:
    found = _members(data, "data").get("log")
    if not isinstance(found, str | None):
        raise MalformedEnosReply("data.log")
    return flow_calls.FlowTaskLog((found or "")[-LOG_LENGTH:].encode("utf-8", "replace").decode())


def _row(row: Mapping[str, Any], reading: EnosReplyContext, path: str) -> pb.FlowInstance:
    found = rows.flow_instance(row, reading.zones, reading.time)
    if not _ID.fullmatch(found.instance_id):
        raise MalformedEnosReply(f"{path}.instanceId")
    return found


def _members(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedEnosReply(path)
    return value


_Reader = Callable[[Any, object, EnosReplyContext], Any]


def _reads(
    kind: type[UpstreamCall[Body]], reader: Callable[[Any, object, EnosReplyContext], Body]
) -> tuple[type, _Reader]:
    return kind, reader


_READERS: Mapping[type, _Reader] = dict(
    (
        _reads(flow_calls.TriggerFlow, _triggered),
        _reads(flow_calls.CancelFlow, _cancelled),
        _reads(flow_calls.GetFlow, _instance),
        _reads(flow_calls.ListFlows, _page),
        _reads(flow_calls.GetFlowTaskLog, _log),
    )
)
