"""Upstream's words for our enums, and back. Source: seeds 000 to 003 and SDK 9.11."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from headgate import pb

E = TypeVar("E", bound=int)

ENV_TYPES: Mapping[pb.EnvType.ValueType, str] = {pb.ENV_TYPE_PROD: "Prod", pb.ENV_TYPE_DEV: "Dev"}

INSTANCE_TYPES: Mapping[pb.WorkflowInstanceType.ValueType, str] = {
    pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA: "SupplementData",
    pb.WORKFLOW_INSTANCE_TYPE_MANUAL_WORKFLOW: "ManualWorkflow",
    pb.WORKFLOW_INSTANCE_TYPE_MANUAL: "Manual",
    pb.WORKFLOW_INSTANCE_TYPE_SMOKE_TEST: "SmokeTest",
    pb.WORKFLOW_INSTANCE_TYPE_TRIGGER_WORKFLOW: "TriggerWorkflow",
    pb.WORKFLOW_INSTANCE_TYPE_NORMAL: "Normal",
}

INSTANCE_STATUSES: Mapping[pb.WorkflowInstanceStatus.ValueType, str] = {
    pb.WORKFLOW_INSTANCE_STATUS_NOT_RUN: "NotRun",
    pb.WORKFLOW_INSTANCE_STATUS_RUNNING: "Running",
    pb.WORKFLOW_INSTANCE_STATUS_WAIT_TIME: "WaitTime",
    pb.WORKFLOW_INSTANCE_STATUS_CHECKING_CONDITION: "CheckingCondition",
    pb.WORKFLOW_INSTANCE_STATUS_WAIT_RESOURCE: "WaitResource",
    pb.WORKFLOW_INSTANCE_STATUS_FAILURE: "Failure",
    pb.WORKFLOW_INSTANCE_STATUS_SUCCESS: "Success",
    pb.WORKFLOW_INSTANCE_STATUS_CHECKING: "Checking",
}

MODES: Mapping[pb.BackfillMode.ValueType, str] = {
    pb.BACKFILL_MODE_GENERAL: "General",
    pb.BACKFILL_MODE_MANUAL_SELECTION: "ManualSelection",
    pb.BACKFILL_MODE_CHAIN: "Chain",
    pb.BACKFILL_MODE_ALL_DOWNSTREAM: "AllDownstream",
}

ORDERS: Mapping[pb.BackfillOrder.ValueType, str] = {pb.BACKFILL_ORDER_ASC: "Asc", pb.BACKFILL_ORDER_DESC: "Desc"}

ALERT_TYPES: Mapping[pb.AlertType.ValueType, str] = {
    pb.ALERT_TYPE_SUCCESS: "Success",
    pb.ALERT_TYPE_FAILURE: "Failure",
    pb.ALERT_TYPE_SUCCESS_FAILURE: "SuccessFailure",
}

NOTICE_TYPES: Mapping[pb.NoticeType.ValueType, str] = {
    pb.NOTICE_TYPE_SMS: "Sms",
    pb.NOTICE_TYPE_MAIL: "Mail",
    pb.NOTICE_TYPE_SMS_MAIL: "SmsMail",
}

RUN_POLICY_TYPES: Mapping[pb.RunPolicyType.ValueType, str] = {
    pb.RUN_POLICY_TYPE_DAILY: "Daily",
    pb.RUN_POLICY_TYPE_WEEKEND: "Weekend",
}

WEIGHT_STRATEGIES: Mapping[pb.PriorityWeightStrategy.ValueType, str] = {
    pb.PRIORITY_WEIGHT_STRATEGY_DISABLE: "Disable",
    pb.PRIORITY_WEIGHT_STRATEGY_UPSTREAM: "Upstream",
}

TAG_POLICIES: Mapping[pb.TagCreationPolicy.ValueType, str] = {
    pb.TAG_CREATION_POLICY_APPEND: "Append",
    pb.TAG_CREATION_POLICY_OVERWRITE: "Overwrite",
}


def _inverted(words: Mapping[E, str]) -> Mapping[str, E]:
    return {word: value for value, word in words.items()}


ENV_TYPE_OF = _inverted(ENV_TYPES)
INSTANCE_TYPE_OF = _inverted(INSTANCE_TYPES)
TASK_INSTANCE_TYPE_OF = {**INSTANCE_TYPE_OF, "ManualFlow": pb.WORKFLOW_INSTANCE_TYPE_MANUAL_WORKFLOW}
"""As task instances say it: some documents call a manual workflow ManualFlow there (SDK 9.11)."""

INSTANCE_STATUS_OF = _inverted(INSTANCE_STATUSES)
