"""The nested members of a create: run properties and periods."""

from __future__ import annotations

import json

from headgate import pb
from headgate_worker.core.model import calls
from tests.worker.upstream.dataworks.requests.conftest import Sent
from tests.worker.upstream.dataworks.specs import seed_spec


async def test_backfill_without_analysis_says_that_none_is_wanted(sent: Sent) -> None:
    spec = seed_spec()
    spec.ClearField("default_run_properties")

    form = (await sent(calls.CreateInstances(spec))).form

    assert json.loads(form["DefaultRunProperties"]) == {"Analysis": {"Enabled": False, "Blocked": False}}


async def test_manual_run_says_nothing_that_was_not_given(sent: Sent) -> None:
    spec = pb.CreateWorkflowInstancesSpec(
        project_id=1, workflow_id=9, name="n", type=pb.WORKFLOW_INSTANCE_TYPE_MANUAL_WORKFLOW
    )

    assert (await sent(calls.CreateInstances(spec))).form == {
        "AutoStartEnabled": "False",
        "Name": "n",
        "ProjectId": "1",
        "Type": "ManualWorkflow",
        "WorkflowId": "9",
    }


def full_properties() -> pb.DefaultRunProperties:
    return pb.DefaultRunProperties(
        mode=pb.BACKFILL_MODE_CHAIN,
        parallelism=3,
        order=pb.BACKFILL_ORDER_DESC,
        root_task_ids=[1],
        include_task_ids=[2, 3],
        exclude_task_ids=[4],
        include_project_ids=[5],
        exclude_project_ids=[6],
        analysis=pb.Analysis(enabled=True, blocked=True),
        run_policy=pb.RunPolicy(start_time="01:00:00", end_time="02:00:00", type=pb.RUN_POLICY_TYPE_WEEKEND),
        alert=pb.Alert(type=pb.ALERT_TYPE_SUCCESS_FAILURE, notice_type=pb.NOTICE_TYPE_SMS_MAIL),
        runtime_resource="group",
        priority=11,
        priority_weight_strategy=pb.PRIORITY_WEIGHT_STRATEGY_UPSTREAM,
        data_source_name_mappings={"old": "new"},
    )


async def test_every_run_property_has_its_upstream_name(sent: Sent) -> None:
    spec = seed_spec()
    spec.default_run_properties.CopyFrom(full_properties())

    form = (await sent(calls.CreateInstances(spec))).form

    assert json.loads(form["DefaultRunProperties"]) == {
        "Mode": "Chain",
        "Parallelism": 3,
        "Order": "Desc",
        "RootTaskIds": [1],
        "IncludeTaskIds": [2, 3],
        "ExcludeTaskIds": [4],
        "IncludeProjectIds": [5],
        "ExcludeProjectIds": [6],
        "Analysis": {"Enabled": True, "Blocked": True},
        "RunPolicy": {"StartTime": "01:00:00", "EndTime": "02:00:00", "Type": "Weekend", "Immediately": False},
        "Alert": {"Type": "SuccessFailure", "NoticeType": "SmsMail"},
        "RuntimeResource": "group",
        "Priority": 11,
        "PriorityWeightStrategy": "Upstream",
        "DataSourceNameMappings": {"old": "new"},
    }
