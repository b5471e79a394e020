"""Reads of EnOS flows: what each asks of upstream, its pages, and the end of a log."""

from __future__ import annotations

from typing import Any

import pytest

from headgate import pb
from headgate_worker.core.model.flow_calls import FlowPage, FlowTaskLog, GetFlow, GetFlowTaskLog, ListFlows
from headgate_worker.reads import page_tokens
from headgate_worker.reads.flows import LOG_BYTES, MOST_ROWS, ROWS, FlowReader


class Cloud:
    """Answers with a body, and keeps what was asked."""

    def __init__(self, body: Any) -> None:
        self.body = body
        self.asked: list[tuple[str, Any]] = []

    async def __call__(self, connection: str, call: Any, left: float, creator: str = "", /) -> Any:
        self.asked.append((connection, call))
        return self.body


async def read(cloud: Cloud, method: str, request: Any) -> Any:
    return await FlowReader(cloud).methods()[method](request.SerializeToString(), 5.0)


def page(rows: int, total: int) -> FlowPage:
    return FlowPage(tuple(pb.FlowInstance(instance_id=f"1-{n}") for n in range(rows)), total)


async def test_an_instance_is_asked_for_by_its_id_at_its_connection() -> None:
    cloud = Cloud(pb.FlowInstance(instance_id="1-2"))

    assert await read(cloud, "GetFlowInstance", pb.GetFlowInstanceRequest(instance_id="1-2", connection="plant"))
    assert cloud.asked == [("plant", GetFlow("1-2"))]


async def test_a_list_goes_on_from_page_to_page_with_the_first_ones_size() -> None:
    cloud = Cloud(page(2, 5))
    request = pb.ListFlowInstancesRequest(type=pb.FLOW_INSTANCE_TYPE_MANUAL, owner="ann", page_size=2)
    first = await read(cloud, "ListFlowInstances", request)
    request.page_token, request.page_size = first.next_page_token, 100
    second = await read(cloud, "ListFlowInstances", request)
    request.page_token = second.next_page_token
    third = await read(cloud, "ListFlowInstances", request)

    assert [(call.page, call.page_size, call.owner) for _, call in cloud.asked] == [
        (0, 2, "ann"),
        (1, 2, "ann"),
        (2, 2, "ann"),
    ]
    assert first.total_count == 5 and second.next_page_token and third.next_page_token == ""


async def test_an_empty_page_is_the_last_whatever_the_total_says() -> None:
    found = await read(Cloud(page(0, 99)), "ListFlowInstances", pb.ListFlowInstancesRequest())

    assert found.next_page_token == ""


@pytest.mark.parametrize(("size", "asked"), [(0, ROWS), (7, 7), (MOST_ROWS + 1, MOST_ROWS)])
async def test_a_page_has_so_many_rows(size: int, asked: int) -> None:
    cloud = Cloud(page(0, 0))
    await read(cloud, "ListFlowInstances", pb.ListFlowInstancesRequest(page_size=size))

    ((_, call),) = cloud.asked
    assert isinstance(call, ListFlows) and call.page_size == asked


@pytest.mark.parametrize("place", [(0, 5), (1, 0), (1, MOST_ROWS + 1)])
async def test_a_token_made_by_hand_is_refused(place: tuple[int, int]) -> None:
    request = pb.ListFlowInstancesRequest()
    request.page_token = page_tokens.seal(page_tokens.digest(request), *place)

    with pytest.raises(page_tokens.BadPageToken):
        await read(Cloud(page(1, 9)), "ListFlowInstances", request)


@pytest.mark.parametrize(
    ("wanted", "text", "log", "truncated"), [(3, "abcdef", "def", True), (3, "abc", "abc", False), (0, "a", "a", False)]
)
async def test_of_a_log_the_end_is_kept_and_one_byte_more_tells_that_it_is_cut(
    wanted: int, text: str, log: str, truncated: bool
) -> None:
    cloud = Cloud(FlowTaskLog(text))
    request = pb.GetFlowTaskInstanceLogRequest(task_instance_id="5-1", max_length=wanted)
    found = await read(cloud, "GetFlowTaskInstanceLog", request)

    assert (found.log, found.truncated) == (log, truncated)
    assert cloud.asked == [("", GetFlowTaskLog("5-1", (wanted or LOG_BYTES) + 1))]
