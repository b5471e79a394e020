"""One flow instance of a reply: what is printed, and what can't be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_worker.upstream.enos.replies import decode
from headgate_worker.upstream.enos.rows import flow_instance, moment
from headgate_worker.upstream.enos.settings import zone_of
from tests.worker.upstream.enos.samples import FIRST_PRINTED, SECOND_PRINTED

READ_AT = Timestamp(seconds=1)


def row_of(printed: str) -> dict[str, Any]:
    found = decode(printed.encode())
    return dict(found.get("data", found))


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


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


_NAMES = ("instanceId", "flowId", "status", "graph", "tasks", "relations", "alertMode", "startTime", "x")


_ROWS = st.fixed_dictionaries({}, optional=dict.fromkeys(_NAMES, _JSON))


@given(_ROWS, _ROWS)
def test_no_row_is_too_strange_to_be_followed(row: dict[str, Any], graph: dict[str, Any]) -> None:
    flow_instance({**row, "graph": graph}, (zone_of("+08:00"), None), READ_AT).SerializeToString()
    flow_instance(row, (None, None), READ_AT).SerializeToString()
    decode(json.dumps(row).encode())


@pytest.mark.parametrize(
    ("printed", "zone", "found"),
    [
        ("2025-02-08 12:00:00", "+08:00", "2025-02-08T04:00:00Z"),
        ("2025-02-08 12:00:00.0", "UTC", "2025-02-08T12:00:00Z"),
        ("", "UTC", None),
        ("yesterday", "UTC", None),
        ("0001-01-01 00:00:00", "+08:00", None),
    ],
)
def test_a_printed_time_is_a_moment_where_it_can_be_read(printed: str, zone: str, found: str | None) -> None:
    read = moment(printed, zone_of(zone))

    assert (read and read.ToJsonString()) == found and moment(printed, None) is None


def test_a_status_is_known_by_its_number_and_a_mode_that_is_not_known_keeps_it() -> None:
    found = flow_instance({"status": "5", "alertMode": 9, "cycle": "?"}, (None, None), READ_AT)

    assert (found.status_raw, found.alert_mode, found.alert_mode_raw) == (5, pb.FLOW_ALERT_MODE_UNSPECIFIED, 9)
    assert (found.cycle, found.cycle_raw) == (pb.FLOW_CYCLE_UNSPECIFIED, "?")
    assert not found.HasField("trigger_time_utc") and not found.HasField("graph")
