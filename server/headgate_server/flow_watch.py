"""Follow flow instances for callers who have no job about them: read now and then, sent when they have changed.

One read serves every stream: an observation that is recent enough is taken from the store, whoever made it, and streams
of this process that need the same instance at the same time share one question.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.reasons import Reason
from headgate_server.clock import StoreClock, timestamp
from headgate_server.errors import Refused, Relayed
from headgate_server.reads import Reads
from headgate_server.rpc import Call

READ_SECONDS: Final = 2.0
"""Time between two looks at an instance, and how old an observation may be."""

PROGRESS_SECONDS: Final = 15.0
"""Longest silence when the caller does not say."""

TERMINAL: Final = frozenset(
    {
        pb.FLOW_INSTANCE_STATUS_SUCCESS,
        pb.FLOW_INSTANCE_STATUS_FAIL,
        pb.FLOW_INSTANCE_STATUS_INTERNAL_ERROR,
        pb.FLOW_INSTANCE_STATUS_TIMEOUT,
        pb.FLOW_INSTANCE_STATUS_CANCEL,
        pb.FLOW_INSTANCE_STATUS_SKIP,
    }
)
"""Statuses that the API calls final."""


class FlowWatch:
    """The streams of WatchFlowInstances in this process.

    Args:
        max_age_seconds: after this long a stream is ended, and its caller comes back.
        max_streams: most streams that are open at a time.
    """

    def __init__(
        self,
        reading: Reads,
        clock: StoreClock,
        *,
        max_age_seconds: float,
        max_streams: int,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._reads = reading
        self._clock = clock
        self._max_age = max_age_seconds
        self._max_streams = max_streams
        self._streams = 0
        self._read_seconds = read_seconds
        self._under_way: dict[tuple[str, str], asyncio.Task[bytes]] = {}

    async def follow(self, request: pb.WatchFlowInstancesRequest) -> AsyncGenerator[bytes, None]:
        """One stream; see `_follow`.

        Raises:
            Refused: there are too many, or no worker answers.
            Relayed: a first read failed, or an instance is gone.
        """
        if self._streams >= self._max_streams:
            metadata = {"limit": str(self._max_streams)}
            raise Refused(Reason.CALLER_LIMIT, "too many streams", metadata=metadata, retry_seconds=5)
        self._streams += 1
        try:
            async with aclosing(self._follow(request)) as messages:
                async for message in messages:
                    yield message
        finally:
            self._streams -= 1

    async def _follow(self, request: pb.WatchFlowInstancesRequest) -> AsyncGenerator[bytes, None]:
        """The rows as they stand, then every change; ends by itself where the caller asked for that."""
        loop, rows = asyncio.get_running_loop(), dict[str, pb.FlowInstance]()
        began = spoken = loop.time()
        while loop.time() - began < self._max_age:
            for row in await self._look(request, rows):
                yield pb.WatchFlowInstancesResponse(flow_instance=row).SerializeToString()
                spoken = loop.time()
            if request.until_terminal and all(row.status in TERMINAL for row in rows.values()):
                yield _end(pb.STREAM_END_REASON_JOB_TERMINAL)
                return
            if loop.time() - spoken >= _silence(request):
                yield self._progress()
                spoken = loop.time()
            await asyncio.sleep(min(self._read_seconds, _silence(request)))
        yield _end(pb.STREAM_END_REASON_MAX_STREAM_AGE)

    async def _look(
        self, request: pb.WatchFlowInstancesRequest, rows: dict[str, pb.FlowInstance]
    ) -> list[pb.FlowInstance]:
        """The instances that are new or have changed. One that has ended is still read: it may be run again."""
        changed = []
        for instance_id in request.instance_ids:
            seen = await self._read(request.connection, instance_id, known=instance_id in rows)
            if seen is None:
                continue
            if instance_id not in rows or _differs(rows[instance_id], seen):
                changed.append(seen)
            rows[instance_id] = seen
        return changed

    async def _read(self, connection: str, instance_id: str, *, known: bool) -> pb.FlowInstance | None:
        """A recent row; None where it could not be read this time, which only a first read tells its caller."""
        try:
            return pb.FlowInstance.FromString(await self._recent(connection, instance_id))
        except (Relayed, Refused) as error:
            if not known or _is_final(error):
                raise
            return None

    async def _recent(self, connection: str, instance_id: str) -> bytes:
        staleness = Duration()
        staleness.FromMilliseconds(int(self._read_seconds * 900))
        found = await self._reads.recent(connection, [instance_id], staleness, kind=pb.FlowInstance)
        if found:
            return found[0]
        key = (connection, instance_id)
        task = self._under_way.get(key)
        if task is None or task.done():
            request = pb.GetFlowInstanceRequest(instance_id=instance_id, connection=connection)
            task = asyncio.create_task(self._reads.ask("GetFlowInstance", request, Call()), name=f"flow {instance_id}")
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        # Shielded: the question serves every stream, so the end of one of them must not end it.
        return await asyncio.shield(task)

    def _forget(self, key: tuple[str, str], done: asyncio.Task[bytes]) -> None:
        if self._under_way.get(key) is done:
            del self._under_way[key]
        if not done.cancelled():
            done.exception()  # whoever waits has it; if nobody does any more, it is nobody's

    def _progress(self) -> bytes:
        progress = pb.Progress(server_time=timestamp(self._clock.now_ms()))
        return pb.WatchFlowInstancesResponse(progress=progress).SerializeToString()


def _is_final(error: Relayed | Refused) -> bool:
    """Whether reading again would bring the same: the instance is gone, or nobody may read it."""
    return isinstance(error, Relayed) and Status.FromString(error.status).code not in _PASSING


_PASSING: Final = frozenset(
    {Code.Value("UNAVAILABLE"), Code.Value("RESOURCE_EXHAUSTED"), Code.Value("DEADLINE_EXCEEDED")},
)


def _differs(before: pb.FlowInstance, after: pb.FlowInstance) -> bool:
    bare = pb.FlowInstance()
    bare.CopyFrom(after)
    bare.observe_time.CopyFrom(before.observe_time)
    return bare != before


def _silence(request: pb.WatchFlowInstancesRequest) -> float:
    if not request.HasField("progress_interval"):
        return PROGRESS_SECONDS
    return float(request.progress_interval.ToMilliseconds()) / 1000


def _end(reason: pb.StreamEndReason.ValueType) -> bytes:
    return pb.WatchFlowInstancesResponse(end=pb.StreamEnd(reason=reason)).SerializeToString()
