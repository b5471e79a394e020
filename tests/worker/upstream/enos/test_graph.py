"""The graph in every form that was seen or feared, and both printed samples."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_worker.upstream.enos.graph import graph_of, mended
from headgate_worker.upstream.enos.replies import decode
from headgate_worker.upstream.enos.rows import flow_instance
from headgate_worker.upstream.enos.settings import zone_of
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


def test_the_second_sample_field_for_field() -> None:
    assert flow_instance(row_of(SECOND_PRINTED), (None, None), READ_AT) == pb.FlowInstance(
        instance_id="2809-20190808093200",
        flow_id=2809,
        flow_name="21",
        freq="0 0 0 * * ? *",
        cycle=pb.FLOW_CYCLE_DAY,
        cycle_raw="D",
        parameters="[]",
        do_as="yourDoAs",
        graph=pb.InstanceGraph(
            creator="yourCreator",
            freq="0 0 0 * * ? *",
            alert_mode=pb.FLOW_ALERT_MODE_MAIL_AND_SMS,
            alert_mode_raw=3,
            owners="yourOwners",
            cycle_raw="D",
            do_as="yourDoAs",
            name="21",
            inst_id="2809-20190808093200",
            id="2809",
            parameters="[]",
            tasks=[
                pb.TaskInstanceGraph(
                    task_name="tass",
                    task_inst_id="104890-20190808093200",
                    x=0.002,
                    y=0.002,
                    task_id="104890",
                    node_id="t_104890",
                    status="SUCCESS",
                )
            ],
        ),
        status=pb.FLOW_INSTANCE_STATUS_SUCCESS,
        status_raw=1,
        status_desc="SUCCESS",
        trigger_time="2019-08-08 09:32:12",
        start_time="2019-08-08 09:32:30",
        end_time="2019-08-08 09:32:32",
        timestamp="2019-08-08 09:34:36.0",
        owner="yourOwners",
        alert_mode=pb.FLOW_ALERT_MODE_MAIL_AND_SMS,
        alert_mode_raw=3,
        cal_dt="2019-08-07",
        has_edit_pri=True,
        has_read_pri=True,
        observe_time=READ_AT,
    )


def test_the_first_sample_says_init_whatever_else_it_says() -> None:
    found = flow_instance(row_of(FIRST_PRINTED), (zone_of("Asia/Shanghai"), zone_of("UTC")), READ_AT)

    assert (found.status, found.status_raw) == (pb.FLOW_INSTANCE_STATUS_INIT, 0)
    assert found.cycle == pb.FLOW_CYCLE_MINUTE
    assert found.trigger_time_utc.ToJsonString() == "2019-07-26T12:39:00Z"
    assert found.start_time_utc.ToJsonString() == "2019-07-26T12:39:37Z"


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


def test_a_proper_reply_is_left_as_it_is() -> None:
    proper = json.dumps({"data": {"graph": json.dumps(GRAPH)}})

    assert mended(proper) == proper


def test_two_rows_that_are_not_escaped_are_both_mended() -> None:
    text = json.dumps(GRAPH)
    broken = f'{{"rows": [{{"graph": "{text}", "n": 1}}, {{"graph":"{text}"}}]}}'

    rows = json.loads(mended(broken))["rows"]
    assert [json.loads(row["graph"]) for row in rows] == [GRAPH, GRAPH]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_NAMES = ("instanceId", "flowId", "status", "graph", "tasks", "relations", "alertMode", "startTime", "x")
_ROWS = st.fixed_dictionaries({}, optional=dict.fromkeys(_NAMES, _JSON))
"""Any of the names with anything; a dictionary of drawn keys draws the same ones again and again, and is slow."""


@given(_ROWS, _ROWS)
def test_no_row_is_too_strange_to_be_followed(row: dict[str, Any], graph: dict[str, Any]) -> None:
    flow_instance({**row, "graph": graph}, (zone_of("+08:00"), None), READ_AT).SerializeToString()
    flow_instance(row, (None, None), READ_AT).SerializeToString()
    decode(json.dumps(row).encode())


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_can_be_decoded(body: bytes) -> None:
    assert isinstance(decode(body), dict)
    decode(b'{"graph": "{' + body)
