"""What is asked for workflow instances."""

from typing import Any

import pytest

from headgate import pb
from headgate_cli.actions.instances import InstanceListing, _list_request
from headgate_cli.process.exit_codes import UsageFault


def request(limit: int = 50, **given: Any) -> pb.ListWorkflowInstancesRequest:
    typed = {
        "project_id": 1,
        "biz_dates": ["2025-02-05..2025-02-06"],
        "name": "",
        "exact_name": False,
        "env_type": "",
        "statuses": (),
        "owner": "",
        "workflow_id": 0,
        "tags": (),
        "connection": "",
    }
    return _list_request(InstanceListing(**{**typed, **given}), limit)


def test_dates_are_needed_and_may_be_several_ranges() -> None:
    with pytest.raises(UsageFault, match="--biz-dates"):
        request(biz_dates=[])

    found = request(biz_dates=["2025-02-05..2025-02-06,2025-02-09"])
    assert [(one.start_biz_date.day, one.end_biz_date.day) for one in found.biz_dates] == [(5, 6), (9, 9)]


def test_statuses_are_words_of_dataworks_and_a_page_is_bounded() -> None:
    found = request(1_000, statuses=["NotRun,Failure"], env_type="Dev", tags=["team:a"])

    assert [*found.statuses] == [pb.WORKFLOW_INSTANCE_STATUS_NOT_RUN, pb.WORKFLOW_INSTANCE_STATUS_FAILURE]
    assert (found.env_type, [*found.tags], found.page_size) == (pb.ENV_TYPE_DEV, ["team:a"], 200)
    with pytest.raises(UsageFault, match="--status"):
        request(statuses=["Walking"])
