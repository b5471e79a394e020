"""google.longrunning.Operations: jobs for clients that know only operations.

Adds no state and no promise of its own: each call is one of JobService, and `operation_view` puts it into their words.
"""

from __future__ import annotations

import asyncio
from typing import Final

from google.longrunning import operations_proto_pb2 as lro
from google.protobuf.empty_pb2 import Empty

from headgate import pb
from headgate.job.lifecycle import is_terminal
from headgate.store import keys
from headgate_server.auth.stream_shares import StreamShares
from headgate_server.errors.job_errors import deleted_job, unknown_job
from headgate_server.errors.status import bad_request
from headgate_server.jobs import listing, operation_view, transitions
from headgate_server.jobs.change import JobChanger
from headgate_server.ports.call import Call
from headgate_server.ports.jobs import JobStore, StoredJob
from headgate_server.requests import operation_names, validator
from headgate_server.watch import long_poll
from headgate_server.watch.hub import Hub
from headgate_server.watch.job_subscription import JobSubscription

MAX_WAIT_SECONDS: Final = 60.0
"""Longest time that one WaitOperation waits; a longer timeout counts as this one."""

MAX_PAGE_BYTES: Final = listing.MAX_PAGE_BYTES // 2
"""Bytes of jobs on a page. An operation that succeeded carries its job twice: as metadata and as response."""


class OperationsService:
    """Operations.

    Args:
        streams: counts calls that wait.
    """

    def __init__(self, store: JobStore, hub: Hub, changer: JobChanger, streams: StreamShares) -> None:
        self._streams = streams
        self._store = store
        self._hub = hub
        self._changer = changer

    async def get_operation(self, request: lro.GetOperationRequest, call: Call) -> lro.Operation:
        """GetOperation."""
        stored = await self._load(operation_names.job_id(request.name), call.uid)
        return operation_view.operation(stored.body)

    async def list_operations(self, request: lro.ListOperationsRequest, call: Call) -> lro.ListOperationsResponse:
        """ListOperations: the jobs of ListJobs, with its filter and its tokens."""
        operation_names.check_parent(request.name)
        wanted = pb.ListJobsRequest(filter=request.filter, page_size=request.page_size, page_token=request.page_token)
        validator.check(wanted)
        page = await listing.list_jobs(self._store, wanted, call, max_bytes=MAX_PAGE_BYTES)
        operations = (operation_view.operation(job.SerializeToString()) for job in page.jobs)
        return lro.ListOperationsResponse(operations=operations, next_page_token=page.next_page_token)

    async def wait_operation(self, request: lro.WaitOperationRequest, call: Call) -> lro.Operation:
        """WaitOperation: the operation when it is done, or as it stands when the time is over."""
        job_id = operation_names.job_id(request.name)
        now = asyncio.get_running_loop().time()
        with self._streams.waiting(call.caller), self._hub.subscribed(job_id) as subscription:
            until = now + _patience(request, call, now)
            return operation_view.operation(await self._settled(job_id, subscription, until, call.uid))

    async def cancel_operation(self, request: lro.CancelOperationRequest, call: Call) -> Empty:
        """CancelOperation: CancelJob with mode STOP; done or cancelled already, it changes nothing."""
        job_id = operation_names.job_id(request.name)
        spec = pb.CancelJobRequest(name=keys.job_name(job_id), mode=pb.CANCEL_MODE_STOP, reason="CancelOperation")
        await self._changer.change(spec, transitions.cancel, call)
        return Empty()

    async def delete_operation(self, request: lro.DeleteOperationRequest, call: Call) -> Empty:
        """DeleteOperation: DeleteJob."""
        await self._changer.delete(pb.DeleteJobRequest(name=keys.job_name(operation_names.job_id(request.name))), call)
        return Empty()

    async def _load(self, job_id: str, uid: str) -> StoredJob:
        stored = await self._store.load(job_id)
        if stored is None:
            raise unknown_job(job_id)
        if uid and uid != stored.life.uid:
            raise deleted_job(job_id)
        return stored

    async def _settled(self, job_id: str, subscription: JobSubscription, until: float, uid: str) -> bytes:
        """The job when it is terminal, the time is over, or this server is going away."""
        while True:
            subscription.hints.clear()
            subscription.dirty = subscription.deleted = (
                False  # the subscription gets hints already, so no event is missed between this read and the next
            )
            stored = await self._load(job_id, uid)
            job = stored.job
            subscription.sent, uid = job.revision, job.uid
            if is_terminal(job) or subscription.draining or asyncio.get_running_loop().time() >= until:
                return stored.body
            await _woken(subscription, until)


async def _woken(subscription: JobSubscription, until: float) -> None:
    """Wait for a reason to read the job again. Most events are none: only the one that ends it is."""
    while asyncio.get_running_loop().time() < until:
        await subscription.wait(until)
        hints = subscription.take()
        if subscription.dirty or subscription.deleted or subscription.draining or any(hint.terminal for hint in hints):
            return
        subscription.sent = max([subscription.sent, *(hint.revision for hint in hints)])


def _patience(request: lro.WaitOperationRequest, call: Call, now: float) -> float:
    seconds = MAX_WAIT_SECONDS
    if request.HasField("timeout"):
        seconds = min(seconds, request.timeout.ToNanoseconds() / 1e9)
    if seconds < 0:
        raise bad_request([("timeout", "is negative")])
    if call.deadline is not None:
        seconds = min(seconds, max(0.0, call.deadline - now - long_poll.MARGIN_SECONDS))
    return seconds
