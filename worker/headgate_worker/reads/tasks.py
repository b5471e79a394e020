"""Answering reads of DataWorks task instances: what each RPC asks of upstream, and its answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

from headgate import pb
from headgate.backfill import dates
from headgate.reasons import Reason
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import (
    GetInstance,
    GetTask,
    GetTaskLog,
    ListTasks,
    TaskFilter,
    TaskPage,
)
from headgate_worker.core.model.log_tail import tail
from headgate_worker.reads import page_tokens
from headgate_worker.reads.ask import Ask
from headgate_worker.reads.errors import ReadFailed

LOG_BYTES: Final = 64 * 1024
"""Bytes of a log when its caller does not say."""

ROWS: Final = 50
MOST_ROWS: Final = 500
"""Rows of a page when its caller does not say, and at most (SDK 9.11)."""

PAGE_BYTES: Final = 1024 * 1024
"""A page ends with the row that reaches this: rows have texts of any length, and a reply may take 4 MiB."""

SHORTEST_SECONDS: Final = 0.1
"""What the second call of a list may take at least, whatever the first one took."""

_UNPLACED: Final = "the workflow instance tells no workspace or no business date; give project_id and biz_date"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a list stands.

    Args:
        project_id: workspace whose tasks are listed.
        day_ms: business date that is listed, midnight in Asia/Shanghai.
        page: upstream's page, from 1.
        size: rows of an upstream page; the same for all pages of a list.
        skip: rows of that page which were shown before.
    """

    project_id: int
    day_ms: int
    page: int
    size: int
    skip: int = 0


class TaskReader:
    """The reads of TaskInstanceService."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def methods(self) -> dict[str, Callable[[bytes, float], Awaitable[Message]]]:
        """Every RPC by name: from the request's bytes and the seconds left to its answer."""
        return {
            "ListTaskInstances": self._list,
            "GetTaskInstance": self._get,
            "GetTaskInstanceLog": self._log,
        }

    async def _get(self, raw: bytes, left: float) -> pb.TaskInstance:
        request = pb.GetTaskInstanceRequest.FromString(raw)
        return await self._ask(request.connection, GetTask(request.id), left)

    async def _log(self, raw: bytes, left: float) -> pb.TaskInstanceLog:
        request = pb.GetTaskInstanceLogRequest.FromString(raw)
        body = await self._ask(request.connection, GetTaskLog(request.id, request.run_number), left)
        kept, cut = tail(body, request.max_length or LOG_BYTES)
        return pb.TaskInstanceLog(log=kept, truncated=cut)

    async def _list(self, raw: bytes, left: float) -> pb.ListTaskInstancesResponse:
        request = pb.ListTaskInstancesRequest.FromString(raw)
        ends = time.monotonic() + left
        place = await self._begin(request, left)
        call = ListTasks(
            place.project_id,
            place.day_ms,
            request.workflow_instance_id,
            page_number=place.page,
            page_size=place.size,
            filter=filter_of(request),
        )
        body = await self._ask(request.connection, call, max(SHORTEST_SECONDS, ends - time.monotonic()))
        return _answer(request, place, body)

    async def _begin(self, request: pb.ListTaskInstancesRequest, left: float) -> _Place:
        """Where the list goes on: as the token says, or as the request says, or as its workflow instance says."""
        if request.page_token:
            return _at_token(request)
        size = min(request.page_size or ROWS, MOST_ROWS)
        project_id = request.project_id
        day_ms = dates.midnight_millis(dates.from_message(request.biz_date)) if request.HasField("biz_date") else 0
        if project_id and day_ms:
            return _Place(project_id, day_ms, 1, size)
        body = await self._ask(request.connection, GetInstance(request.workflow_instance_id), left)
        project_id, day_ms = project_id or body.project_id, day_ms or body.biz_date_millis
        if not (project_id and day_ms):
            raise ReadFailed(errors.status(Reason.UPSTREAM_REFUSED, _UNPLACED))
        return _Place(project_id, day_ms, 1, size)


def filter_of(request: pb.ListTaskInstancesRequest) -> TaskFilter:
    """The filters of a list."""
    return TaskFilter(
        workflow_id=request.workflow_id,
        workflow_instance_type=request.workflow_instance_type,
        unified_workflow_instance_id=request.unified_workflow_instance_id,
        project_env=request.project_env,
        id=request.history_of_id,
        ids=tuple(request.ids),
        task_ids=tuple(request.task_ids),
        task_name=request.task_name,
        task_type=request.task_type,
        status=request.status,
        trigger_type=request.trigger_type,
        trigger_recurrence=request.trigger_recurrence,
        owner=request.owner,
        runtime_resource=request.resource_group_id,
    )


def _at_token(request: pb.ListTaskInstancesRequest) -> _Place:
    """Raises BadToken."""
    place = _Place(*page_tokens.place(request.page_token, page_tokens.digest(request), 5))
    if not (place.page and 0 < place.size <= MOST_ROWS and place.skip < place.size):
        raise page_tokens.out_of_range()
    return place


def _answer(request: pb.ListTaskInstancesRequest, place: _Place, page: TaskPage) -> pb.ListTaskInstancesResponse:
    rows, taken = [], 0
    for row in page.tasks[place.skip :]:
        if taken >= PAGE_BYTES:
            break
        rows.append(row)
        taken += row.ByteSize()
    shown = place.skip + len(rows)
    if shown < len(page.tasks):
        token = _token(request, place, place.page, shown)
    else:
        more = len(page.tasks) > 0 and place.page * place.size < page.total_count
        token = _token(request, place, place.page + 1, 0) if more else ""
    return pb.ListTaskInstancesResponse(task_instances=rows, next_page_token=token)


def _token(request: pb.ListTaskInstancesRequest, place: _Place, page: int, skip: int) -> str:
    arguments = page_tokens.digest(request)
    return page_tokens.seal(arguments, place.project_id, place.day_ms, page, place.size, skip)
