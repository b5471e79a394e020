"""Answering reads of EnOS flows: what each RPC asks of upstream, and its answer. The reading itself is `reader`'."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from google.protobuf.message import Message

from headgate import pb
from headgate.messages.reply_sizes import fit_flows
from headgate_worker.core.model.flow_calls import GetFlow, GetFlowTaskLog, ListFlows
from headgate_worker.core.model.log_tail import tail
from headgate_worker.reads import page_tokens
from headgate_worker.reads.ask import Ask

LOG_BYTES: Final = 64 * 1024
"""Bytes of a log when its caller does not say."""

ROWS: Final = 50
MOST_ROWS: Final = 200


class FlowReader:
    """The reads of FlowInstanceService."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def methods(self) -> dict[str, Callable[[bytes, float], Awaitable[Message]]]:
        """Every RPC by name: from the request's bytes and the seconds left to its answer."""
        return {
            "GetFlowInstance": self._get,
            "ListFlowInstances": self._list,
            "GetFlowTaskInstanceLog": self._log,
        }

    async def _get(self, raw: bytes, left: float) -> pb.FlowInstance:
        request = pb.GetFlowInstanceRequest.FromString(raw)
        return await self._ask(request.connection, GetFlow(request.instance_id), left)

    async def _list(self, raw: bytes, left: float) -> pb.ListFlowInstancesResponse:
        request = pb.ListFlowInstancesRequest.FromString(raw)
        page, size = _place(request)
        call = ListFlows(
            type=request.type,
            from_ms=request.from_trigger_time.ToMilliseconds(),
            to_ms=request.to_trigger_time.ToMilliseconds(),
            expression=request.expression,
            owner=request.owner,
            statuses=tuple(request.statuses),
            page=page,
            page_size=size,
        )
        body = await self._ask(request.connection, call, left)
        more = body.instances and (page + 1) * size < body.total_count
        token = page_tokens.seal(page_tokens.digest(request), page + 1, size) if more else ""
        fit_flows(body.instances)
        return pb.ListFlowInstancesResponse(
            flow_instances=body.instances, next_page_token=token, total_count=body.total_count
        )

    async def _log(self, raw: bytes, left: float) -> pb.GetFlowTaskInstanceLogResponse:
        request = pb.GetFlowTaskInstanceLogRequest.FromString(raw)
        most = request.max_length or LOG_BYTES
        # One more than wanted shows whether there is more.
        body = await self._ask(request.connection, GetFlowTaskLog(request.task_instance_id, most + 1), left)
        kept, cut = tail(body.text, most)
        return pb.GetFlowTaskInstanceLogResponse(log=kept, truncated=cut)


def _place(request: pb.ListFlowInstancesRequest) -> tuple[int, int]:
    """Page, from 0, and rows of a page. Upstream pages by number, so all pages of a list have the first one's size.

    Raises:
        BadToken: see there.
    """
    if not request.page_token:
        return 0, min(request.page_size or ROWS, MOST_ROWS)
    page, size = page_tokens.place(request.page_token, page_tokens.digest(request), 2)
    if not page or not 0 < size <= MOST_ROWS:
        raise page_tokens.out_of_range()
    return page, size
