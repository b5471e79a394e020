"""The pure parts of the adapter: signatures, statuses, requests, errors, settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from headgate import pb
from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.calls import FailureKind, GetInstance
from headgate_worker.upstream.enos import errors, statuses
from headgate_worker.upstream.enos.requests import Unsendable, prepare
from headgate_worker.upstream.enos.settings import EnosSettings, zone_of
from headgate_worker.upstream.enos.signing import signature

ROOT = Path(__file__).parents[5]


def settings(**given: Any) -> EnosSettings:
    everything = {"endpoint": "http://h", "app_key": "k", "app_secret": "s", "user_id": "u", "org_id": "o", **given}
    return EnosSettings(**everything)


def test_the_published_vector_is_reproduced() -> None:
    body = '{\n  "count": 20,\n  "page": 1,\n  "desc": "描述"\n}'
    query = {"k3": "v3", "k1": "v1", "k2": "v2"}

    found = signature("xxxxaaaxxxx", query, body, 1572574909697, "xxxappSecretxxx")

    assert found == "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981"


def test_twelve_statuses_by_number_and_by_word() -> None:
    known = set(pb.FlowInstanceStatus.values()) - {pb.FLOW_INSTANCE_STATUS_UNSPECIFIED}

    assert set(statuses.STATUSES.values()) == set(statuses.WORDS.values()) == known
    assert len(statuses.STATUSES) == 12
    assert statuses.status_of(99, "SUCCESS") == pb.FLOW_INSTANCE_STATUS_UNSPECIFIED
    assert statuses.status_of(0, "SUCCESS") == pb.FLOW_INSTANCE_STATUS_INIT
    assert statuses.status_of(None, " internal_error ") == pb.FLOW_INSTANCE_STATUS_INTERNAL_ERROR
    assert statuses.status_of(None, "") == pb.FLOW_INSTANCE_STATUS_UNSPECIFIED


def test_only_the_adapter_the_emulator_and_the_proto_know_status_numbers() -> None:
    """A status word next to a number, in any order, such as `SUCCESS = 1` or `4: "INTERNAL_ERROR"`."""
    words = "|".join(sorted(statuses.WORDS, key=len, reverse=True))
    pattern = re.compile(
        rf"""\b(?:FLOW_INSTANCE_STATUS_)?(?:{words})["']?\s*[:=]\s*-?\d|"""
        rf"""(?<![\w.])-?\d+\s*[:=]\s*["']?(?:pb\.FLOW_INSTANCE_STATUS_)?(?:{words})\b"""
    )
    allowed = ("worker/headgate_worker/upstream/enos/", "emulator/headgate_emulator/enos/")
    found = [
        str(path.relative_to(ROOT))
        for folder in ("worker", "server", "client", "emulator", "protos/headgate")
        for path in (ROOT / folder).rglob("*.py")
        if not str(path.relative_to(ROOT)).startswith(allowed) and not path.stem.endswith(("_pb2", "_pb2_grpc"))
        if pattern.search(path.read_text())
    ]

    assert pattern.search((ROOT / "worker/headgate_worker/upstream/enos/statuses.py").read_text())
    assert not found


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
    with pytest.raises(Unsendable):
        prepare(GetInstance(5), settings())
    with pytest.raises(Unsendable):
        prepare(flow_calls.TriggerFlow(7, 8, from_task_id=9), settings(generation="v2.0"))


GET, CANCEL = flow_calls.GetFlow, flow_calls.CancelFlow
TRIGGER, LOG = flow_calls.TriggerFlow, flow_calls.GetFlowTaskLog


@pytest.mark.parametrize(
    ("call", "code", "message", "kind"),
    [
        (GET, 62102, "", FailureKind.NOT_FOUND),
        (LOG, 62109, "", FailureKind.NOT_FOUND),
        (CANCEL, 62102, "flow instance does not exist", FailureKind.NOT_FOUND),
        (CANCEL, 62102, "wrong status", FailureKind.REFUSED),
        (TRIGGER, 62102, "twice in one minute", FailureKind.REFUSED),
        (TRIGGER, 62102, "flow does not exist", FailureKind.REFUSED),
        (TRIGGER, 62104, "", FailureKind.REFUSED),
        (TRIGGER, 62109, "", FailureKind.AMBIGUOUS),
        (GET, 62109, "", FailureKind.TRANSIENT),
        (CANCEL, 62109, "", FailureKind.TRANSIENT),
        (GET, 62101, "", FailureKind.DENIED),
        (GET, 62103, "", FailureKind.DENIED),
        (TRIGGER, 1203, "", FailureKind.TRANSIENT),
        (TRIGGER, 1003, "", FailureKind.DENIED),
        (TRIGGER, 1005, "", FailureKind.AMBIGUOUS),
        (GET, 1005, "", FailureKind.TRANSIENT),
        (TRIGGER, 77777, "", FailureKind.AMBIGUOUS),
        (GET, 77777, "", FailureKind.TRANSIENT),
    ],
)
def test_codes(call: type, code: int, message: str, kind: FailureKind) -> None:
    assert errors.classify(call, 200, errors.Envelope(code, message)) is kind


def test_envelopes_of_every_generation() -> None:
    assert errors.envelope({"status": 0, "msg": " Success", "data": {"status": 1}}) == errors.Envelope(0, "Success")
    assert errors.envelope({"code": 0, "msg": "OK"}) == errors.Envelope(0, "OK")
    assert errors.envelope({"apim_status": 4011, "apim_message": "x"}) == errors.Envelope(4011, "x")
    assert errors.envelope({"status": "62102"}) == errors.Envelope(62102, "")
    assert errors.envelope({"status": True, "code": None}) is None
    assert errors.envelope({}) is None


@pytest.mark.parametrize(
    "given",
    [
        {"endpoint": "h"},
        {"endpoint": "ftp://h"},
        {"generation": "v3"},
        {"base": "no slash"},
        {"app_secret": ""},
        {"org_id": ""},
        {"trigger_zone": "Mars/Olympus"},
        {"first_page": 2},
        {"max_connections": 0},
    ],
)
def test_settings_that_make_no_sense(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        settings(**given)


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(settings(app_secret="hush"))


def test_zones() -> None:
    assert zone_of("") is None
    assert zone_of("-05:30") is not None
    assert zone_of("UTC") is not None
