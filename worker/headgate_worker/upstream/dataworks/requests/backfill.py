"""The nested members of a create: run properties and periods. Pure."""

from __future__ import annotations

from typing import Any

from alibabacloud_dataworks_public20240518 import models as sdk

from headgate import pb
from headgate_worker.upstream.dataworks import words
from headgate_worker.upstream.dataworks.dates import iso_text


def run_properties(spec: pb.CreateWorkflowInstancesSpec) -> Any:
    """DefaultRunProperties, None when there is nothing to say. A backfill always says how it is analysed."""
    analysis = _analysis(spec)
    if analysis is None and not spec.HasField("default_run_properties"):
        return None
    chosen = spec.default_run_properties
    return sdk.CreateWorkflowInstancesRequestDefaultRunProperties(
        alert=_alert(chosen),
        analysis=analysis,
        data_source_name_mappings=dict(chosen.data_source_name_mappings) or None,
        exclude_project_ids=list(chosen.exclude_project_ids) or None,
        exclude_task_ids=list(chosen.exclude_task_ids) or None,
        include_project_ids=list(chosen.include_project_ids) or None,
        include_task_ids=list(chosen.include_task_ids) or None,
        mode=words.MODES.get(chosen.mode),
        order=words.ORDERS.get(chosen.order),
        parallelism=chosen.parallelism if chosen.HasField("parallelism") else None,
        priority=chosen.priority if chosen.HasField("priority") else None,
        priority_weight_strategy=words.WEIGHT_STRATEGIES.get(chosen.priority_weight_strategy),
        root_task_ids=list(chosen.root_task_ids) or None,
        run_policy=_run_policy(chosen),
        runtime_resource=chosen.runtime_resource or None,
    )


def _analysis(spec: pb.CreateWorkflowInstancesSpec) -> Any:
    given = spec.default_run_properties.HasField("analysis")
    if not given and spec.type != pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA:
        return None
    analysis = spec.default_run_properties.analysis
    return sdk.CreateWorkflowInstancesRequestDefaultRunPropertiesAnalysis(
        blocked=analysis.blocked, enabled=analysis.enabled
    )


def _alert(chosen: pb.DefaultRunProperties) -> Any:
    if not chosen.HasField("alert"):
        return None
    return sdk.CreateWorkflowInstancesRequestDefaultRunPropertiesAlert(
        notice_type=words.NOTICE_TYPES.get(chosen.alert.notice_type),
        type=words.ALERT_TYPES.get(chosen.alert.type),
    )


def _run_policy(chosen: pb.DefaultRunProperties) -> Any:
    if not chosen.HasField("run_policy"):
        return None
    policy = chosen.run_policy
    return sdk.CreateWorkflowInstancesRequestDefaultRunPropertiesRunPolicy(
        end_time=policy.end_time,
        immediately=policy.immediately,
        start_time=policy.start_time,
        type=words.RUN_POLICY_TYPES.get(policy.type),
    )


def periods(spec: pb.CreateWorkflowInstancesSpec) -> Any:
    """Periods, None when absent. Raises ValueError for a date that does not exist."""
    if not spec.HasField("periods"):
        return None
    return sdk.CreateWorkflowInstancesRequestPeriods(
        biz_dates=[_date_range(one) for one in spec.periods.biz_dates],
        end_time=spec.periods.end_time or None,
        start_time=spec.periods.start_time or None,
    )


def _date_range(dates: pb.DateRange) -> Any:
    return sdk.CreateWorkflowInstancesRequestPeriodsBizDates(
        start_biz_date=iso_text(dates.start_biz_date), end_biz_date=iso_text(dates.end_biz_date)
    )
