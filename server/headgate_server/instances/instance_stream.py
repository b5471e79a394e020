"""A stream of instances: the present row of each, then every observed change, signs of life, and an announced end.

The rows come from the poller, which reads for all streams. Ending a stream affects nothing else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from headgate import pb
from headgate_server.errors.exceptions import StoreUnavailable
from headgate_server.errors.share_exceeded import PROCESS, exceeded
from headgate_server.instances.poller import InstancePoller
from headgate_server.instances.subscription import Viewer
from headgate_server.instances.watch_shares import RETRY_SECONDS
from headgate_server.ports.call import PATIENCE_SECONDS, ReplySink
from headgate_server.ports.caller import Caller
from headgate_server.ports.clock import StoreTime
from headgate_server.ports.instance_kinds import InstanceKey, InstanceKind

PROGRESS_SECONDS: Final = 15.0
"""Longest silence when the caller does not say."""

FIRST_SECONDS: Final = 0.5
"""Longest silence at the beginning."""

Request = pb.WatchWorkflowInstancesRequest | pb.WatchFlowInstancesRequest


@dataclass(frozen=True, slots=True)
class InstanceWatch:
    """What the streams of a process share.

    Args:
        max_age_seconds: about how long a stream lives; each one's end is spread by +-10 %.
        max_delay_seconds: how far the reconnects of the streams of a draining server are spread.
        max_streams: most streams that are open at a time.
        jitter: a number from 0 to 1, another one each time.
    """

    poller: InstancePoller
    clock: StoreTime
    max_age_seconds: float
    max_delay_seconds: float
    max_streams: int
    jitter: Callable[[], float] = random.random

    async def follow(
        self, kind: InstanceKind, ids: Iterable[int | str], request: Request, sink: ReplySink, caller: Caller
    ) -> None:
        """Write the messages of one stream, each a response as bytes.

        Args:
            kind: what the ids are of.
            ids: which instances; without repeats.
            request: the checked request.
            sink: where they go.
            caller: whose stream it is.

        Raises:
            Refused: there are too many streams or instances.
            Relayed: an instance is unknown, or may not be read.
            StoreUnavailable: the store can't be read.
        """
        if self.poller.watchers >= self.max_streams:
            raise exceeded("watches", self.max_streams, PROCESS, RETRY_SECONDS)
        now = asyncio.get_running_loop().time
        deadline = now() + self.max_age_seconds * (0.9 + 0.2 * self.jitter())
        quiet_until = now() + FIRST_SECONDS
        instances = (InstanceKey(kind, request.connection, id_) for id_ in ids)
        with self.poller.watching(instances, caller) as viewer:
            while True:
                for message in viewer.news():
                    await sink.write(message)
                    quiet_until = now() + _silence(request)
                if reason := _reason_to_end(viewer, request, late=now() >= deadline):
                    await sink.write(kind.end(self._end(reason)))
                    return
                self._check_store(viewer, now())
                if now() >= quiet_until:
                    await sink.write(kind.alive(self.clock.now_ms(), viewer.last_ms, viewer.next_ms))
                    quiet_until = now() + _silence(request)
                await viewer.wait(min(quiet_until, deadline))

    def _check_store(self, viewer: Viewer, now: float) -> None:
        lost_since = self.poller.lost_since
        if lost_since is not None and (viewer.knows_nothing or now - lost_since > PATIENCE_SECONDS):
            raise StoreUnavailable("watched instances can't be looked at")

    def _end(self, reason: pb.StreamEndReason.ValueType) -> pb.StreamEnd:
        end = pb.StreamEnd(reason=reason)
        if reason == pb.STREAM_END_REASON_SERVER_DRAINING:
            end.reconnect_delay.FromMilliseconds(int(self.max_delay_seconds * 1000 * self.jitter()))
        return end


def _reason_to_end(viewer: Viewer, request: Request, *, late: bool) -> pb.StreamEndReason.ValueType | None:
    ends = (
        (request.until_terminal and viewer.has_all_ended, pb.STREAM_END_REASON_JOB_TERMINAL),
        (viewer.draining, pb.STREAM_END_REASON_SERVER_DRAINING),
        (late, pb.STREAM_END_REASON_MAX_STREAM_AGE),
    )
    return next((reason for applies, reason in ends if applies), None)


def _silence(request: Request) -> float:
    if not request.HasField("progress_interval"):
        return PROGRESS_SECONDS
    return float(request.progress_interval.ToMilliseconds()) / 1000
