"""Calls to EnOS as values, and what they bring. As `calls` for DataWorks: one call is one request."""

from __future__ import annotations

from dataclasses import dataclass

from headgate import pb
from headgate_worker.core.model.upstream_call import UpstreamCall


@dataclass(frozen=True, slots=True)
class TriggerFlow(UpstreamCall["FlowTriggered"]):
    """Trigger a flow. Not safe to repeat: upstream takes no client token.

    Args:
        flow_id: which flow.
        trigger_ms: when it is to run, ms since 1970; a past time runs at once.
        from_task_id: begin at this task; 0 at the beginning.
        parameters: key and value, for this run only.
    """

    flow_id: int
    trigger_ms: int
    from_task_id: int = 0
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class CancelFlow(UpstreamCall["FlowCancelled"]):
    """Cancel a flow instance. Safe to repeat by intent: the instance is read, and cancelled if it has not ended."""

    instance_id: str


@dataclass(frozen=True, slots=True)
class GetFlow(UpstreamCall[pb.FlowInstance]):
    """Read a flow instance. The adapter sets observe_time of the row."""

    instance_id: str


@dataclass(frozen=True, slots=True)
class ListFlows(UpstreamCall["FlowPage"]):
    """One page of a search over trigger times.

    Args:
        type: how the instances came to be.
        from_ms: start of the window, included.
        to_ms: end of the window, excluded.
        statuses: only these; empty means any.
        page: from 0, whatever upstream calls its first one.
        page_size: rows of a page.
    """

    type: pb.FlowInstanceType.ValueType
    from_ms: int
    to_ms: int
    expression: str = ""
    owner: str = ""
    statuses: tuple[pb.FlowInstanceStatus.ValueType, ...] = ()
    page: int = 0
    page_size: int = 100


@dataclass(frozen=True, slots=True)
class GetFlowTaskLog(UpstreamCall["FlowTaskLog"]):
    """Read the log of a task instance, at most `max_length` bytes."""

    task_instance_id: str
    max_length: int


FlowCall = TriggerFlow | CancelFlow | GetFlow | ListFlows | GetFlowTaskLog

ACTIONS: dict[type, str] = {
    TriggerFlow: "TriggerFlow",
    CancelFlow: "CancelFlowInstance",
    GetFlow: "GetFlowInstance",
    ListFlows: "ListFlowInstances",
    GetFlowTaskLog: "GetTaskInstanceLog",
}
"""Upstream's own name of each call, as its pages are titled."""

WRITES = frozenset({TriggerFlow, CancelFlow})
"""Calls that change something upstream."""

NOT_REPEATABLE = frozenset({TriggerFlow})
"""Calls that need an intent on record before they go out."""


@dataclass(frozen=True, slots=True)
class FlowTriggered:
    """Answer of TriggerFlow."""

    instance_id: str


@dataclass(frozen=True, slots=True)
class FlowCancelled:
    """Answer of CancelFlow: accepted; the instance ends later."""


@dataclass(frozen=True, slots=True)
class FlowPage:
    """Answer of ListFlows. `total_count` counts all pages."""

    instances: tuple[pb.FlowInstance, ...]
    total_count: int


@dataclass(frozen=True, slots=True)
class FlowTaskLog:
    """Answer of GetFlowTaskLog."""

    text: str
