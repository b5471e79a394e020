"""Which dates a backfill leaves alone since they have instances already."""

import pytest
from google.rpc.code_pb2 import ABORTED, ALREADY_EXISTS

from headgate import pb
from headgate.backfill.reprocess import counts, is_left_alone, leaves_alone, surveys

SUCCESS, FAILURE = pb.WORKFLOW_INSTANCE_STATUS_SUCCESS, pb.WORKFLOW_INSTANCE_STATUS_FAILURE


def spec(reprocess: pb.Reprocess.ValueType) -> pb.BackfillSpec:
    return pb.BackfillSpec(name="orders", reprocess=reprocess)


@pytest.mark.parametrize("reprocess", pb.Reprocess.values())
def test_only_policies_that_look_for_missing_dates_look_them_up(reprocess: pb.Reprocess.ValueType) -> None:
    assert surveys(spec(reprocess)) is (reprocess in (pb.REPROCESS_MISSING_ONLY, pb.REPROCESS_MISSING_AND_FAILED))


@pytest.mark.parametrize("latest", pb.WorkflowInstanceStatus.values())
def test_a_date_is_left_alone_by_its_latest_instance(latest: pb.WorkflowInstanceStatus.ValueType) -> None:
    assert leaves_alone(spec(pb.REPROCESS_MISSING_ONLY), latest)
    assert leaves_alone(spec(pb.REPROCESS_MISSING_AND_FAILED), latest) is (latest != FAILURE)
    assert not leaves_alone(spec(pb.REPROCESS_ALL), latest)


@pytest.mark.parametrize(
    ("name", "type_", "wanted"),
    [
        ("orders", pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA, True),
        ("orders", pb.WORKFLOW_INSTANCE_TYPE_UNSPECIFIED, True),
        ("orders", pb.WORKFLOW_INSTANCE_TYPE_NORMAL, False),
        ("orders2", pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA, False),
        ("", pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA, False),
    ],
)
def test_instances_count_by_name_and_kind(name: str, type_: pb.WorkflowInstanceType.ValueType, wanted: bool) -> None:
    seen = pb.WorkflowInstance(name=name, type=type_, status=SUCCESS)

    assert counts(spec(pb.REPROCESS_MISSING_ONLY), seen) is wanted


def test_a_run_is_left_alone_only_where_its_date_has_an_instance() -> None:
    skipped = pb.InstanceRun(state=pb.RUN_STATE_SKIPPED)
    skipped.error.code = ALREADY_EXISTS
    halted = pb.InstanceRun(state=pb.RUN_STATE_SKIPPED)
    halted.error.code = ABORTED
    failed = pb.InstanceRun(state=pb.RUN_STATE_FAILED)
    failed.error.code = ALREADY_EXISTS

    assert [is_left_alone(run) for run in (skipped, halted, failed)] == [True, False, False]
