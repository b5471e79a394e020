"""Reads of upstream, which only workers can do: asked on the read lane, or served from the last observation.

A question has a deadline. What a worker answers later is dropped; reads change nothing, so nothing is lost.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError

from headgate import pb
from headgate.messages.reply_sizes import fit_instances
from headgate.reasons import Reason
from headgate.store import queue_entries
from headgate_server.auth.read_shares import READ_SECONDS, ReadShares
from headgate_server.errors.exceptions import Refused, Relayed, ServerError
from headgate_server.errors.share_exceeded import PROCESS, exceeded
from headgate_server.instances.withdrawn_reads import WithdrawnReads
from headgate_server.ports.call import Call
from headgate_server.ports.caller import Caller
from headgate_server.ports.clock import StoreTime
from headgate_server.ports.reads import ONE, ReadCost, Request

_log = logging.getLogger(__name__)

MAX_ASKED: Final = 4_000
"""Most questions of one process that are open."""

LINGER_MS: Final = 5_000
"""How long a question outlives its deadline in the store."""

MARGIN_SECONDS: Final = 0.05
"""How long before its caller's deadline a read gives up, so that the caller learns why."""

RECONNECT_SECONDS: Final = 0.2
"""Pause before answers are looked for again after a failure."""


class ReadQueue(Protocol):
    """Port: carries questions to workers and their answers back."""

    reply_to: str

    async def ask(self, entry: queue_entries.QueueEntry, *, now_ms: int, ttl_ms: int) -> None:
        """Put a question up for any worker."""

    async def withdraw(self, entry_ids: list[str]) -> None:
        """Take questions back, whether a worker has begun with them or not."""

    async def take(self) -> list[bytes]:
        """The answers that have come, waiting for one for a while."""


class Observations(Protocol):
    """Port: what was last seen of instances."""

    async def observations(self, connection: str, ids: Sequence[int | str]) -> list[bytes | None]:
        """Serialised instances in the order asked for; None for each that was never seen."""


class Reads:
    """The read side of a server process. `run` must be running.

    Args:
        timeout: longest time, in seconds, a caller waits for a worker.
    """

    def __init__(
        self,
        lane: ReadQueue,
        seen: Observations,
        clock: StoreTime,
        *,
        timeout: float,
        nonce: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._lane = lane
        self._seen = seen
        self._clock = clock
        self._timeout = timeout
        self._nonce = nonce
        self._abandoned = WithdrawnReads(lane)
        self.shares = ReadShares()
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Future[queue_entries.ReadReply]] = {}

    async def run(self) -> None:
        """Hand answers to those who wait for them, until cancelled, through every failure of the store."""
        while True:
            try:
                for raw in await self._lane.take():
                    self._hand_over(raw)
            except ServerError as error:
                _log.warning("answers can't be taken: %s", type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)
            except Exception:
                _log.exception("answers can't be taken")
                await asyncio.sleep(RECONNECT_SECONDS)

    async def ask(
        self, method: str, request: Request, call: Call, *, extra_seconds: float = 0.0, cost: ReadCost = ONE
    ) -> bytes:
        """A worker's answer to a read: the response message as bytes.

        Args:
            method: name of the RPC, such as "GetWorkflowInstance".
            request: its request.
            call: who asks, and until when the answer is awaited.
            extra_seconds: how much longer than other reads this one may take.
            cost: what counts against the shares of caller and connection.

        Raises:
            Refused: no worker answered in time, or a share is used up.
            Relayed: a worker answered with an error.
            StoreUnavailable: the question could not be put up.
        """
        with self.hold(call, request.connection, cost):
            return await self.ask_for_watchers(method, request, call, extra_seconds=extra_seconds)

    def hold(self, call: Call, connection: str, cost: ReadCost) -> AbstractContextManager[None]:
        """Hold the shares that a call takes, for `ask_for_watchers`. Raises Refused: one is used up."""
        return self.shares.taken(call.caller, connection, cost)

    async def ask_for_watchers(self, method: str, request: Request, call: Call, *, extra_seconds: float = 0.0) -> bytes:
        """As `ask`, for callers that count the shares themselves."""
        if len(self._open) >= MAX_ASKED:
            raise exceeded("open_reads", MAX_ASKED, PROCESS, READ_SECONDS)
        seconds, refusal = self._patience(call, self._timeout + extra_seconds)
        number, now_ms, wait_ms = next(self._numbers), self._clock.now_ms(), int(seconds * 1000)
        asked = self._asked(number, method, request, call.caller, now_ms + wait_ms)
        entry = queue_entries.read(asked, nonce=self._nonce(), now_ms=now_ms, connection=request.connection)
        answer: asyncio.Future[queue_entries.ReadReply] = asyncio.get_running_loop().create_future()
        self._open[number] = answer
        try:
            async with asyncio.timeout(seconds):
                await self._lane.ask(entry, now_ms=now_ms, ttl_ms=wait_ms + LINGER_MS)
                reply = await answer
        except TimeoutError:
            raise refusal from None
        finally:
            del self._open[number]
            if not answer.done() or answer.cancelled():
                self._abandoned.add(entry.id)
        if not reply.ok:
            raise Relayed(reply.payload)
        return reply.payload

    async def recent(
        self,
        connection: str,
        ids: Sequence[int | str],
        max_staleness: Duration,
        *,
        kind: type[pb.WorkflowInstance | pb.FlowInstance] = pb.WorkflowInstance,
    ) -> list[bytes] | None:
        """The last observations of instances, if every one of them is recent enough; else None."""
        oldest_ms = self._clock.now_ms() - max_staleness.ToMilliseconds()
        if max_staleness.ToMilliseconds() <= 0:
            return None
        seen = await self._seen.observations(connection, ids)
        found = [raw for raw in seen if raw and _seen_ms(kind, raw) >= oldest_ms]
        return found if len(found) == len(ids) else None

    def _asked(
        self, number: int, method: str, request: Request, caller: Caller, until_ms: int
    ) -> queue_entries.ReadRequest:
        body, reply_to = request.SerializeToString(), self._lane.reply_to
        return queue_entries.ReadRequest(number, method, body, reply_to, until_ms, caller.name)

    @staticmethod
    def _patience(call: Call, timeout: float) -> tuple[float, Refused]:
        if call.deadline is not None and (left := _remaining(call.deadline)) < timeout:
            return max(0.0, left), Refused(Reason.DEADLINE_TOO_SHORT, "no worker answered within the deadline")
        return timeout, Refused(Reason.WORKER_UNAVAILABLE, "no worker answered in time", retry_seconds=2)

    def _hand_over(self, raw: bytes) -> None:
        try:
            reply = queue_entries.decode_reply(raw)
        except ValueError:
            _log.warning("a worker sent an answer of %d bytes that can't be read", len(raw))
            return
        waiting = self._open.get(reply.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)


def _remaining(deadline: float) -> float:
    return deadline - asyncio.get_running_loop().time() - MARGIN_SECONDS


def _seen_ms(kind: type[pb.WorkflowInstance | pb.FlowInstance], raw: bytes) -> int:
    """When a row was read; -1, which is never recent enough, where it can't be parsed."""
    try:
        return int(kind.FromString(raw).observe_time.ToMilliseconds())
    except DecodeError:
        return -1


def batch(found: Sequence[bytes]) -> pb.BatchGetWorkflowInstancesResponse:
    """The reply of a batch get, from instances as bytes in the order asked for."""
    instances = [pb.WorkflowInstance.FromString(raw) for raw in found]
    fit_instances(instances)
    return pb.BatchGetWorkflowInstancesResponse(workflow_instances=instances)
