"""Stops on record: each stop call is recorded beside the instance before it is sent, so that other jobs know of it.

Upstream has no status of its own for what was stopped. A record says that a stop may have reached the instance; one
that upstream refused is taken off again. It is read together with an end that a stop may have caused, and only then.
"""

from __future__ import annotations

from headgate import pb
from headgate_worker.core.facts.failures import may_be_executed
from headgate_worker.core.model.calls import Call, GetInstance, Outcome, PerInstance, Reply, StopInstances
from headgate_worker.core.model.flow_calls import CancelFlow, GetFlow


def stopped_ids(call: Call) -> tuple[int | str, ...]:
    """The instances that a call is to stop; none for other calls."""
    if isinstance(call, StopInstances):
        return call.ids
    return (call.instance_id,) if isinstance(call, CancelFlow) else ()


def answers(call: Call, outcome: Outcome) -> dict[int | str, bool]:
    """By instance, whether a stop call was accepted; nothing of those for which that is not known."""
    ids = stopped_ids(call)
    if not isinstance(outcome, Reply):
        return {} if may_be_executed(outcome) else dict.fromkeys(ids, False)
    body: dict[int, PerInstance] = outcome.body if isinstance(outcome.body, dict) else {}
    said: dict[int | str, bool] = {one: answer.success for one, answer in body.items()}
    return {one: said.get(one, isinstance(call, CancelFlow)) for one in ids}


def recorded_for(call: Call, outcome: Outcome) -> int | str | None:
    """The instance whose records say more about what was read of it; None where they would say nothing."""
    body = outcome.body if isinstance(outcome, Reply) else None
    if isinstance(call, GetInstance) and isinstance(body, pb.WorkflowInstance):
        return call.id if body.status == pb.WORKFLOW_INSTANCE_STATUS_FAILURE else None
    if isinstance(call, GetFlow) and isinstance(body, pb.FlowInstance):
        return call.instance_id if body.status == pb.FLOW_INSTANCE_STATUS_CANCEL else None
    return None
