"""The walk over dates and pages of a list, and where a token continues it."""

from __future__ import annotations

from headgate import pb
from headgate_worker.core.model.calls import InstancePage
from headgate_worker.reads.list_cursor import ListCursor
from headgate_worker.reads.page_tokens import BadPageToken
from tests.worker.submitting import days


def instance(number: int) -> pb.WorkflowInstance:
    return pb.WorkflowInstance(id=number)


def request() -> pb.ListWorkflowInstancesRequest:
    return pb.ListWorkflowInstancesRequest(project_id=1, biz_dates=days("2025-01-01", "2025-01-02"))


def test_a_walk_continues_where_its_token_says() -> None:
    cursor = ListCursor.begin(request())
    page = InstancePage((instance(1), instance(2), instance(3)), 3)
    taken, stopped = cursor.take(page, lambda _: True, 2)
    again = request()
    again.page_token = stopped.token()

    rest, done = ListCursor.begin(again).take(page, lambda _: True, 2)

    assert [row.id for row in taken + rest] == [1, 2, 3]
    assert (done.at, done.page) == (1, 1)


def test_a_token_of_other_arguments_is_refused() -> None:
    other = request()
    other.project_id = 2
    other.page_token = ListCursor.begin(request()).token()
    for bad in (other.page_token, "x", "W10=", "bnVsbA=="):
        other.page_token = bad
        try:
            ListCursor.begin(other)
        except BadPageToken:
            continue
        raise AssertionError(bad)
