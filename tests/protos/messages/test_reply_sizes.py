"""Rows that share a message fit into it, and no row is cut where they fit as they are."""

from __future__ import annotations

import pytest

from headgate import pb
from headgate.messages.reply_sizes import ROWS_BYTES, fit_flows, fit_instances

CLIENT_BYTES = 4 * 1024 * 1024


def instance(parameters: int, tags: int = 0) -> pb.WorkflowInstance:
    row = pb.WorkflowInstance(id=1, name="n" * 128, workflow_parameters="等" * (parameters // 3))
    row.tags.extend(pb.Tag(key="k" * 100, value="v" * 100) for _ in range(tags))
    return row


@pytest.mark.parametrize(("rows", "parameters", "tags"), [(200, 1 << 20, 0), (100, 1 << 20, 1_000), (200, 0, 1_000)])
def test_rows_of_a_reply_fit_into_a_message(rows: int, parameters: int, tags: int) -> None:
    reply = pb.ListWorkflowInstancesResponse(workflow_instances=[instance(parameters, tags) for _ in range(rows)])

    fit_instances(reply.workflow_instances)

    assert reply.ByteSize() < CLIENT_BYTES
    assert all(row.name and (row.workflow_parameters or not parameters) for row in reply.workflow_instances)


def test_rows_that_fit_are_left_as_they_are() -> None:
    rows = [instance(ROWS_BYTES // 2, 3), *(instance(10) for _ in range(50))]
    before = [row.SerializeToString() for row in rows]

    fit_instances(rows)

    assert [row.SerializeToString() for row in rows] == before


def test_flows_lose_their_graphs_first() -> None:
    rows = [pb.FlowInstance(instance_id="1", parameters="p" * 1_000) for _ in range(100)]
    for row in rows:
        row.graph.tasks.extend(pb.TaskInstanceGraph(task_name="t" * 1_000) for _ in range(100))

    fit_flows(rows)

    assert not any(row.HasField("graph") for row in rows)
    assert all(len(row.parameters) == 1_000 for row in rows)
