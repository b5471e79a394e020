"""What a stream of instances is sent, and how often an instance is read."""

import pytest

from headgate import pb
from headgate_server.ports.clock import timestamp
from headgate_server.ports.instance_kinds import FLOW, WORKFLOW, InstanceKind, PollPace, differ

PACE = PollPace(min_ms=2_000, max_ms=30_000, share=0.1)
NOW = 1_700_000_000_000


def workflow(status: pb.WorkflowInstanceStatus.ValueType, unchanged_ms: int = 0) -> pb.WorkflowInstance:
    row = pb.WorkflowInstance(id=7, status=status, observe_time=timestamp(NOW))
    if unchanged_ms:
        row.started_time.CopyFrom(timestamp(NOW - unchanged_ms))
    return row


@pytest.mark.parametrize(
    ("unchanged_ms", "wanted"), [(0, 2_000), (1_000, 2_000), (50_000, 5_000), (100_000, 10_000), (10_000_000, 30_000)]
)
def test_the_longer_nothing_changes_the_rarer_are_the_reads(unchanged_ms: int, wanted: int) -> None:
    row = workflow(pb.WORKFLOW_INSTANCE_STATUS_RUNNING, unchanged_ms)

    assert PACE.interval_ms(WORKFLOW, row) == wanted


def test_an_instance_that_has_ended_is_read_as_rarely_as_may_be() -> None:
    assert PACE.interval_ms(WORKFLOW, workflow(pb.WORKFLOW_INSTANCE_STATUS_SUCCESS)) == 30_000
    assert PACE.interval_ms(FLOW, pb.FlowInstance(status=pb.FLOW_INSTANCE_STATUS_SKIP)) == 30_000


@pytest.mark.parametrize(("failures", "wanted"), [(1, 2_000), (2, 4_000), (4, 16_000), (5, 30_000), (10_000, 30_000)])
def test_failures_in_a_row_double_the_wait_up_to_a_bound(failures: int, wanted: int) -> None:
    assert PACE.after_failures_ms(failures) == wanted


@pytest.mark.parametrize("kind", [WORKFLOW, FLOW])
def test_every_status_is_an_end_or_is_not_and_both_kinds_have_some(kind: InstanceKind) -> None:
    enum = kind.row.DESCRIPTOR.fields_by_name["status"].enum_type
    assert enum is not None
    values = {value.number for value in enum.values}

    assert kind.ended < values and 0 not in kind.ended
    assert set(kind.changes) <= set(kind.row.DESCRIPTOR.fields_by_name)


def test_when_and_by_which_call_a_row_was_read_is_no_difference() -> None:
    before = workflow(pb.WORKFLOW_INSTANCE_STATUS_RUNNING)
    again = workflow(pb.WORKFLOW_INSTANCE_STATUS_RUNNING)
    again.observe_time.CopyFrom(timestamp(NOW + 5_000))
    again.upstream_request_id = "another"
    ended = workflow(pb.WORKFLOW_INSTANCE_STATUS_FAILURE)

    assert not differ(before, again) and differ(before, ended)


def test_messages_of_a_stream_carry_a_row_an_error_or_a_sign_of_life() -> None:
    row = workflow(pb.WORKFLOW_INSTANCE_STATUS_RUNNING)
    read = pb.WatchWorkflowInstancesResponse.FromString

    assert read(WORKFLOW.shown(row.SerializeToString())).workflow_instance == row
    assert read(WORKFLOW.alive(NOW, 0, 0)).progress == pb.Progress(server_time=timestamp(NOW))
    progress = read(WORKFLOW.alive(NOW, NOW - 1, NOW + 1)).progress
    assert progress.last_upstream_poll_time == timestamp(NOW - 1)
    assert progress.next_upstream_poll_time == timestamp(NOW + 1)
