"""DataWorks as the engine sees it: calls in, outcomes out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

import aiohttp
from google.protobuf import timestamp_pb2

from headgate_worker.core.model.calls import (
    ACTIONS,
    NOT_REPEATABLE,
    Call,
    Failure,
    FailureKind,
    Outcome,
    OutcomeOf,
    Reply,
)
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.upstream.dataworks import errors
from headgate_worker.upstream.dataworks.credentials import CredentialCache, CredentialsUnavailable, DefaultChain, static
from headgate_worker.upstream.dataworks.quiet import quiet_sdk
from headgate_worker.upstream.dataworks.replies import answers
from headgate_worker.upstream.dataworks.replies.reading import DataWorksReplyContext
from headgate_worker.upstream.dataworks.requests.extra import UnsendableToDataWorks
from headgate_worker.upstream.dataworks.requests.prepared import DataWorksRequest, prepare
from headgate_worker.upstream.dataworks.settings import DataWorksSettings
from headgate_worker.upstream.dataworks.transport import Transport, open_transport
from headgate_worker.upstream.http.connections import HttpReply, Progress, ReplyTooLarge, RequestStage
from headgate_worker.upstream.http.failures import no_answer, unreachable

logger = logging.getLogger(__name__)


class DataWorks:
    """One account in one region. Implements `headgate_worker.ports.upstreams.Upstream`.

    Belongs to the event loop of its first call. Many calls may be under way at once.

    Args:
        settings: where and as whom.
        credentials: where keys come from; None takes `settings.credentials`, or else the default chain.
        clock: seconds since 1970, for `observe_time` and signatures.
    """

    def __init__(
        self,
        settings: DataWorksSettings,
        *,
        credentials: CredentialCache | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        fetch = DefaultChain() if settings.credentials is None else static(settings.credentials)
        self._credentials = credentials or CredentialCache(fetch)
        self._clock = clock
        self._opening = asyncio.Lock()
        self._transport: Transport | None = None
        self._closed = False
        quiet_sdk()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Get ready, so that the first call need not. Opens no connection.

        Raises:
            OSError: the file of authorities can't be read.
        """
        await self._ready()

    async def call(self, call: UpstreamCall[Body], *, timeout_seconds: float) -> OutcomeOf[Body]:
        """Send exactly one request and say what came of it, within `timeout_seconds` in all.

        One exception to "one": a request that was refused for its key or session token is sent once more with new ones.

        Raises:
            RuntimeError: this was closed.
        """
        transport = await self._ready()
        started = time.monotonic()
        outcome = await self._within(transport, call, timeout_seconds)
        outcome = replace(outcome, latency_seconds=time.monotonic() - started)
        _log(call, outcome)
        return outcome

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        """Why no connection can be had now; None when one can. Sends nothing."""
        transport = await self._ready()
        try:
            async with asyncio.timeout(timeout_seconds):
                await transport.reach()
        except (aiohttp.ClientError, OSError) as error:
            return unreachable(error)
        return None

    async def aclose(self) -> None:
        """Close connections; calls after it are an error."""
        self._closed = True
        await self._credentials.aclose()
        if self._transport is not None:
            await self._transport.aclose()

    async def _ready(self) -> Transport:
        if self._closed:
            raise RuntimeError("this DataWorks was closed")
        if self._transport is not None:
            return self._transport
        async with self._opening:
            self._transport = self._transport or await open_transport(self._settings)
            return self._transport

    async def _within(self, transport: Transport, call: UpstreamCall[Body], timeout_seconds: float) -> OutcomeOf[Body]:
        progress = Progress()
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._ask(transport, call, prepare(call), progress)
        except UnsendableToDataWorks as error:
            return Failure(FailureKind.REFUSED, "unsendable_call", errors.one_line(str(error)))
        except CredentialsUnavailable as error:
            return Failure(FailureKind.DENIED, "credentials_unavailable", str(error))
        except (aiohttp.ClientError, OSError, ReplyTooLarge) as error:
            return no_answer(call, progress.stage, error)

    async def _ask(
        self, transport: Transport, call: UpstreamCall[Body], prepared: DataWorksRequest, progress: Progress
    ) -> OutcomeOf[Body]:
        alone = type(call) in NOT_REPEATABLE
        credentials = await self._credentials.current()
        answer = await transport.exchange(prepared, credentials, seconds=self._clock(), alone=alone, progress=progress)
        outcome = self._outcome(call, answer)
        if not (isinstance(outcome, Failure) and errors.wants_new_credentials(outcome.code)):
            return outcome
        # Refused for its key or token means not executed: from here on only the second attempt counts.
        progress.stage = RequestStage.CREDENTIALS
        renewed = await self._credentials.renew(credentials)
        if renewed == credentials:
            return outcome
        answer = await transport.exchange(prepared, renewed, seconds=self._clock(), alone=alone, progress=progress)
        return self._outcome(call, answer)

    def _outcome(self, call: UpstreamCall[Body], answer: HttpReply) -> OutcomeOf[Body]:
        body = answers.decode(answer)
        now = timestamp_pb2.Timestamp()
        now.FromMicroseconds(int(self._clock() * 1_000_000))
        return answers.outcome(call, answer, body, DataWorksReplyContext(now, answers.request_id(answer, body)))


def _log(call: Call, outcome: Outcome) -> None:
    said = "ok" if isinstance(outcome, Reply) else outcome.code
    action = ACTIONS[type(call)]
    logger.debug("%s: %s in %.3f s, request %s", action, said, outcome.latency_seconds, outcome.request_id)
