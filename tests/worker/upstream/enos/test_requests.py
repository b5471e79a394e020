"""Calls as HTTP requests, and what can't be sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate import pb
from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.calls import GetInstance
from headgate_worker.upstream.enos.requests import UnsendableToEnos, prepare
from headgate_worker.upstream.enos.settings import EnosSettings


def settings(**given: Any) -> EnosSettings:
    everything = {"endpoint": "http://h", "app_key": "k", "app_secret": "s", "user_id": "u", "org_id": "o", **given}
    return EnosSettings(**everything)


REQUESTS = [
    (flow_calls.GetFlow("2809-1"), "GET", "flowInstances", "get", {"flowInstId": "2809-1"}, None),
    (flow_calls.CancelFlow("2809-1"), "POST", "flowInstances", "cancel", {}, {"flowInstId": "2809-1"}),
    (
        flow_calls.GetFlowTaskLog("1-1", 500),
        "GET",
        "taskInstances",
        "getLog",
        {"taskInstId": "1-1", "maxLength": "500"},
        None,
    ),
    (flow_calls.TriggerFlow(7, 8), "POST", "flows", "trigger", {}, {"flowId": 7, "triggerTime": 8}),
    (
        flow_calls.TriggerFlow(7, 8, from_task_id=9),
        "POST",
        "flows",
        "triggerFromTask",
        {},
        {"flowId": 7, "triggerTime": 8, "taskId": 9},
    ),
    (
        flow_calls.TriggerFlow(7, 8, parameters=(("a", "b"),)),
        "POST",
        "flows",
        "updateAndTrigger",
        {},
        {"flowId": 7, "triggerTime": 8, "parameters": [{"key": "a", "value": "b"}]},
    ),
    (
        flow_calls.ListFlows(
            pb.FLOW_INSTANCE_TYPE_MANUAL,
            1,
            2,
            statuses=(pb.FLOW_INSTANCE_STATUS_FAIL, pb.FLOW_INSTANCE_STATUS_SUCCESS),
            page=3,
        ),
        "POST",
        "flowInstances",
        "search",
        {},
        {
            "type": 0,
            "expression": "",
            "owner": "",
            "fromTriggerTime": 1,
            "toTriggerTime": 2,
            "status": "-1,1",
            "pagination": {"pageNo": 4, "pageSize": 100, "sorters": []},
        },
    ),
]


@pytest.mark.parametrize(("call", "method", "resource", "action", "query", "body"), REQUESTS)
def test_requests(call: Any, method: str, resource: str, action: str, query: Any, body: Any) -> None:
    found = prepare(call, settings(first_page=1))

    assert (found.method, found.path) == (method, f"/batch-processing-service/v2.1/{resource}")
    assert found.query == {"action": action, "userId": "u", "orgId": "o", **query}
    assert (json.loads(found.body) if found.body else None) == body


def test_base_paths() -> None:
    assert prepare(flow_calls.GetFlow("1"), settings(generation="v2.0")).path.startswith(
        "/dataflow-batch-service/v2.0/"
    )
    assert prepare(flow_calls.GetFlow("1"), settings(base="/own/path")).path == "/own/path/flowInstances"


def test_what_can_not_be_sent() -> None:
    with pytest.raises(UnsendableToEnos):
        prepare(GetInstance(5), settings())
    with pytest.raises(UnsendableToEnos):
        prepare(flow_calls.TriggerFlow(7, 8, from_task_id=9), settings(generation="v2.0"))
