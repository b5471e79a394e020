"""What is asked for flow instances, and when a flow is triggered."""

from datetime import UTC, datetime
from typing import Any

import pytest

from headgate import pb
from headgate_cli.actions.flows import FlowListing, _list_request, _moment, _row
from headgate_cli.process.exit_codes import UsageFault


def request(limit: int = 50, **given: Any) -> pb.ListFlowInstancesRequest:
    typed = {"days": "2025-02-05..2025-02-06", "type": "", "name": "", "owner": "", "statuses": (), "connection": ""}
    return _list_request(FlowListing(**{**typed, **given}), limit)


def test_a_window_has_both_of_its_days_whole() -> None:
    found = request(type="Manual", name="nightly")

    assert found.from_trigger_time.ToJsonString() == "2025-02-05T00:00:00Z"
    assert found.to_trigger_time.ToJsonString() == "2025-02-07T00:00:00Z"
    assert (found.type, found.expression) == (pb.FLOW_INSTANCE_TYPE_MANUAL, "nightly")


@pytest.mark.parametrize("days", ["2025-02-05,2025-02-09", ""])
def test_more_ranges_than_one_and_none_are_refused(days: str) -> None:
    with pytest.raises(UsageFault, match="--days"):
        request(days=days)


def test_statuses_are_words_and_a_page_is_bounded() -> None:
    found = request(1_000, statuses=["Running,Wait", "Fail"])

    assert [*found.statuses] == [
        pb.FLOW_INSTANCE_STATUS_RUNNING,
        pb.FLOW_INSTANCE_STATUS_WAIT,
        pb.FLOW_INSTANCE_STATUS_FAIL,
    ]
    assert found.page_size == 200
    with pytest.raises(UsageFault, match="--status"):
        request(statuses=["Walking"])


def test_a_time_of_a_trigger_has_its_zone() -> None:
    assert _moment("2025-02-05T08:00:00+08:00") == datetime(2025, 2, 5, tzinfo=UTC)
    for wrong in ("2025-02-05T08:00:00", "soon", ""):
        with pytest.raises(UsageFault, match="--trigger-time"):
            _moment(wrong)


def test_a_status_that_has_no_word_is_its_number() -> None:
    assert str(_row(pb.FlowInstance(instance_id="1-2", status_raw=77))[3]) == "77"
    assert str(_row(pb.FlowInstance(instance_id="1-2", status_raw=2, status_desc="RUNNING\x1b"))[3]) == "RUNNING\\x1b"
