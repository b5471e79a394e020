"""Answering reads: a short ARQ entry carries an RPC's request here, the answer goes straight back to the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.backfill import dates
from headgate.messages.reply_sizes import fit_instances
from headgate.reasons import Reason
from headgate.store import queue_entries
from headgate.store.observations import KeptObservation
from headgate_worker.core.model import errors
from headgate_worker.core.model.calls import (
    ACTIONS,
    Call,
    Failure,
    FailureKind,
    GetInstance,
    InstancePage,
    ListInstances,
)
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.core.model.view import Policy
from headgate_worker.ports.clock import Clock
from headgate_worker.ports.store import ReadClaim, ReadStore
from headgate_worker.ports.upstreams import GovernedUpstream, Upstreams
from headgate_worker.reads.admission import ReadAdmission
from headgate_worker.reads.errors import ReadFailed, retryable
from headgate_worker.reads.flows import FlowReader
from headgate_worker.reads.list_cursor import ListCursor
from headgate_worker.reads.page_tokens import BadPageToken
from headgate_worker.reads.plan import PlanReader
from headgate_worker.reads.tasks import TaskReader

_log = logging.getLogger(__name__)

SIDE_BY_SIDE: Final = 8
"""Most upstream calls that one batch read makes at the same time."""

UPSTREAM_PAGE: Final = 100
"""Rows of one upstream page; the limit there is not documented, so we stay below what others allow."""


LEAST_SECONDS: Final = 0.05
"""What a call is given that was let out at the last moment."""

LATE_SECONDS: Final = 0.1
"""How long after its caller's deadline a read is cut off, so that it can say by itself that it was too long."""

_RETRY_SECONDS: Final[Mapping[FailureKind, float]] = {
    FailureKind.THROTTLED: 1.0,
    FailureKind.FROZEN: 3600.0,
    FailureKind.TRANSIENT: 1.0,
    FailureKind.AMBIGUOUS: 1.0,
}


def of_failure(failure: Failure, call: Call) -> Status:
    """A failed read as the status its caller gets."""
    status = errors.of_failure(failure, ACTIONS[type(call)])
    seconds = _RETRY_SECONDS.get(failure.kind)
    if seconds is None or failure.code == errors.TOO_LARGE:
        return status
    return retryable(status, max(seconds, failure.retry_after_seconds or 0.0))


class Reader:
    """Answers the reads of servers."""

    def __init__(self, store: ReadStore, upstreams: Upstreams, clock: Clock, policy: Policy) -> None:
        self._store = store
        self._upstreams = upstreams
        self._clock = clock
        self._methods: dict[str, Callable[[bytes, float], Awaitable[Message]]] = {
            "GetWorkflowInstance": self._get,
            "BatchGetWorkflowInstances": self._batch_get,
            "ListWorkflowInstances": self._list,
            **FlowReader(self._call).methods(),
            **TaskReader(self._call).methods(),
        }
        self._surveys = PlanReader(self._call, self._upstream, store, policy).methods()
        self._admission = ReadAdmission(clock)

    async def read(self, *arguments: Any, caller: Any = "", **_: Any) -> None:
        """Answer one read, unless its caller's deadline has passed."""
        asked = queue_entries.parse_read(list(arguments), caller)
        left = (asked.deadline_ms - await self._store.now_ms()) / 1000
        if left <= 0:
            return
        try:
            async with asyncio.timeout(left + LATE_SECONDS) as patience:
                answer = await self._answer(asked, left)
        except TimeoutError:
            if patience.expired():
                return
            raise
        await self._store.reply(asked.reply_to, answer)

    async def _answer(self, asked: queue_entries.ReadRequest, left: float) -> queue_entries.ReadReply:
        try:
            message = await self._made(asked, left)
            return queue_entries.ReadReply(asked.id, ok=True, payload=message.SerializeToString())
        except ReadFailed as failed:
            return queue_entries.ReadReply(asked.id, ok=False, payload=failed.status.SerializeToString())
        except BadPageToken as error:
            status = errors.status(Reason.PAGE_TOKEN_INVALID, str(error))
            return queue_entries.ReadReply(asked.id, ok=False, payload=status.SerializeToString())
        except KeyError:
            status = errors.status(Reason.METHOD_UNBUILT, f"this worker can't answer {asked.method}")
            return queue_entries.ReadReply(asked.id, ok=False, payload=status.SerializeToString())

    async def _made(self, asked: queue_entries.ReadRequest, left: float) -> Message:
        if (survey := self._surveys.get(asked.method)) is not None:
            return await survey(asked.request, left, asked.caller)
        return await self._methods[asked.method](asked.request, left)

    async def _call(self, connection: str, call: UpstreamCall[Body], left: float, creator: str = "", /) -> Body:
        upstream = self._upstream(connection)
        until = self._clock.monotonic() + left
        await self._admission.admitted(upstream, call, until, creator)
        outcome = await upstream.call(call, timeout_seconds=max(LEAST_SECONDS, until - self._clock.monotonic()))
        if isinstance(outcome, Failure):
            raise ReadFailed(of_failure(outcome, call))
        if isinstance(outcome.body, pb.FlowInstance):
            await self._store.put_observation(connection, outcome.body)
        return outcome.body

    def _upstream(self, connection: str) -> GovernedUpstream:
        try:
            return self._upstreams.get(connection)
        except KeyError:
            raise ReadFailed(errors.status(Reason.CONNECTION_UNKNOWN, f"no connection {connection!r}")) from None

    async def _get(self, raw: bytes, left: float) -> pb.WorkflowInstance:
        request = pb.GetWorkflowInstanceRequest.FromString(raw)
        return await self._instance(request.connection, request.id, left)

    async def _instance(self, connection: str, instance_id: int, left: float) -> pb.WorkflowInstance:
        """An instance as it is now: read, or taken from a read that was sent after this was asked."""
        until = self._clock.monotonic() + left
        self._upstream(connection)
        found = await self._shared(connection, instance_id, left)
        if not isinstance(found, ReadClaim):
            return pb.WorkflowInstance.FromString(found.body)
        try:
            body = await self._call(connection, GetInstance(instance_id), max(0.1, until - self._clock.monotonic()))
        except BaseException:
            await self._store.shared_reads.abandon(found)
            raise
        await self._store.shared_reads.publish(found, body)
        return body

    async def _shared(self, connection: str, instance_id: int, left: float) -> KeptObservation | ReadClaim:
        try:
            async with asyncio.timeout(left):
                return await self._store.shared_reads.ask(connection, instance_id)
        except TimeoutError:
            said = "another read of the instance has not come back in time"
            raise ReadFailed(retryable(errors.status(Reason.UPSTREAM_UNAVAILABLE, said), 1.0)) from None

    async def _batch_get(self, raw: bytes, left: float) -> pb.BatchGetWorkflowInstancesResponse:
        request = pb.BatchGetWorkflowInstancesRequest.FromString(raw)
        semaphore = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(instance_id: int) -> pb.WorkflowInstance:
            async with semaphore:
                return await self._instance(request.connection, instance_id, left)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(instance_id)) for instance_id in request.ids]
        except* ReadFailed as failed:
            first = failed.exceptions[0]
        else:
            rows = [task.result() for task in tasks]
            fit_instances(rows)
            return pb.BatchGetWorkflowInstancesResponse(workflow_instances=rows)
        raise first

    async def _list(self, raw: bytes, left: float) -> pb.ListWorkflowInstancesResponse:
        request = pb.ListWorkflowInstancesRequest.FromString(raw)
        return await self._collect(request, ListCursor.begin(request), self._clock.monotonic() + left)

    async def _collect(
        self, request: pb.ListWorkflowInstancesRequest, cursor: ListCursor, deadline: float
    ) -> pb.ListWorkflowInstancesResponse:
        size = min(request.page_size or 50, 200)
        rows: list[pb.WorkflowInstance] = []
        unreachable: list[str] = []
        while cursor.more() and len(rows) < size:
            try:
                page = await self._page(request, cursor, deadline - self._clock.monotonic())
            except ReadFailed:
                if not request.return_partial_success:
                    raise
                unreachable.append(cursor.day.isoformat())
                cursor = cursor.next_day()
                continue
            taken, cursor = cursor.take(page, lambda seen: _matches(request, seen), size - len(rows))
            rows += taken
        token = cursor.token() if cursor.more() else ""
        fit_instances(rows)
        return pb.ListWorkflowInstancesResponse(workflow_instances=rows, next_page_token=token, unreachable=unreachable)

    async def _page(self, request: pb.ListWorkflowInstancesRequest, cursor: ListCursor, left: float) -> InstancePage:
        call = ListInstances(
            request.project_id,
            dates.midnight_millis(cursor.day),
            name=request.name,
            type=request.type,
            env_type=request.env_type,
            ids=tuple(request.ids),
            page_number=cursor.page,
            page_size=UPSTREAM_PAGE,
            owner=request.owner,
            workflow_id=request.workflow_id,
            unified_workflow_instance_id=request.unified_workflow_instance_id,
            tags=tuple(request.tags),
        )
        return await self._call(request.connection, call, max(0.1, left))


def _matches(request: pb.ListWorkflowInstancesRequest, seen: pb.WorkflowInstance) -> bool:
    if request.exact_name and seen.name != request.name:
        return False
    return not request.statuses or seen.status in request.statuses
