"""The graph in every form that was seen or feared, and both printed samples."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate_worker.upstream.enos.graph import graph_of
from headgate_worker.upstream.enos.replies import decode
from headgate_worker.upstream.enos.rows import flow_instance
from tests.worker.upstream.enos.samples import FIRST_PRINTED, SECOND_PRINTED

GRAPH = {"creator": "c", "id": 2809, "tasks": [{"taskId": 1, "taskInstId": "1-2", "x": 0.5, "status": "RUNNING"}]}
READ_AT = Timestamp(seconds=1)


def row_of(printed: str) -> dict[str, Any]:
    found = decode(printed.encode())
    return dict(found.get("data", found))


def test_both_printed_samples_are_no_json_and_are_read() -> None:
    for printed in (FIRST_PRINTED, SECOND_PRINTED):
        with pytest.raises(ValueError, match="delimiter"):
            json.loads(printed)
        assert flow_instance(row_of(printed), (None, None), READ_AT).graph.tasks[0].status == "SUCCESS"


@pytest.mark.parametrize(
    "value",
    [GRAPH, json.dumps(GRAPH), json.dumps(json.dumps(GRAPH))],
    ids=["object", "text", "doubly encoded"],
)
def test_every_readable_form_says_the_same(value: object) -> None:
    found = graph_of(value)

    assert found is not None
    assert (found.creator, found.id, found.tasks[0].task_id, found.tasks[0].x) == ("c", "2809", "1", 0.5)


@pytest.mark.parametrize("value", [None, "", "{", "[]", 7, [], True, json.dumps(json.dumps(json.dumps(GRAPH)))])
def test_what_can_not_be_read_is_no_graph(value: object) -> None:
    assert graph_of(value) is None


def test_members_in_snake_case_are_members() -> None:
    found = graph_of({"do_as": "d", "inst_id": "i", "alert_mode": 1, "tasks": [{"task_inst_id": "t", "task_id": "9"}]})

    assert found is not None
    assert (found.do_as, found.inst_id, found.alert_mode, found.tasks[0].task_inst_id) == (
        "d",
        "i",
        pb.FLOW_ALERT_MODE_MAIL,
        "t",
    )


def test_nested_flows_and_relations() -> None:
    found = graph_of(
        {"flows": [{"flowId": 3, "status": "NONE", "isVirtual": True}], "relations": [{"from": "a", "to": "b"}]}
    )

    assert found is not None
    assert (found.flows[0].flow_id, found.flows[0].status, found.flows[0].is_virtual) == ("3", "NONE", True)
    assert (found.relations[0].from_node_id, found.relations[0].to_node_id) == ("a", "b")


"""Any of the names with anything; a dictionary of drawn keys draws the same ones again and again, and is slow."""
