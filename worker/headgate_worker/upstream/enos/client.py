"""EnOS as the engine sees it: calls in, outcomes out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

import aiohttp
from google.protobuf.timestamp_pb2 import Timestamp
from yarl import URL

from headgate_worker.core.model.calls import ACTIONS, NOT_REPEATABLE, Failure, FailureKind, OutcomeOf, Reply
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.upstream.enos import answers
from headgate_worker.upstream.enos.replies import EnosReplyContext, decode
from headgate_worker.upstream.enos.requests import EnosRequest, UnsendableToEnos, prepare
from headgate_worker.upstream.enos.settings import EnosSettings, zone_of
from headgate_worker.upstream.enos.signing import signature
from headgate_worker.upstream.enos.token_service import TokenService
from headgate_worker.upstream.enos.tokens import TokenCache, TokenUnavailable
from headgate_worker.upstream.http.connections import (
    HttpConnections,
    HttpReply,
    Progress,
    ReplyTooLarge,
    RequestStage,
    tls_context,
)
from headgate_worker.upstream.http.failures import no_answer, one_line, unreachable

_log = logging.getLogger(__name__)


class Enos:
    """One user of one organisation. Implements `headgate_worker.ports.upstreams.Upstream`.

    Belongs to the event loop of its first call. Many calls may be under way at once.

    Args:
        settings: where and as whom.
        clock: seconds since 1970, for `observe_time` and signatures.
    """

    def __init__(self, settings: EnosSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._zones = (zone_of(settings.trigger_zone), zone_of(settings.run_zone))
        self._url = URL(settings.endpoint)
        self._opening = asyncio.Lock()
        self._connections: HttpConnections | None = None
        self._tokens: TokenCache | None = None
        self._closed = False

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

        Besides: a token is fetched when none is held, and a request that was refused for its token is sent once more
        with a new one.

        Raises:
            RuntimeError: this was closed.
        """
        connections, tokens = await self._ready()
        started = time.monotonic()
        outcome = await self._within(connections, tokens, call, timeout_seconds)
        outcome = replace(outcome, latency_seconds=time.monotonic() - started)
        said = "ok" if isinstance(outcome, Reply) else outcome.code
        _log.debug("%s: %s in %.3f s", ACTIONS[type(call)], said, outcome.latency_seconds)
        return outcome

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        """Why no connection can be had now; None when one can. Sends nothing."""
        connections, _ = await self._ready()
        try:
            async with asyncio.timeout(timeout_seconds):
                await connections.reach()
        except (aiohttp.ClientError, OSError) as error:
            return unreachable(error)
        return None

    async def aclose(self) -> None:
        """Close connections; calls after it are an error."""
        self._closed = True
        if self._tokens is not None:
            await self._tokens.aclose()
        if self._connections is not None:
            await self._connections.aclose()

    async def _ready(self) -> tuple[HttpConnections, TokenCache]:
        if self._closed:
            raise RuntimeError("this Enos was closed")
        async with self._opening:
            if self._connections is None:
                tls = await tls_context(self._url.scheme, self._settings)
                self._connections = HttpConnections(self._settings, self._url, tls)
            if self._tokens is None:
                service = TokenService(self._settings, self._connections, clock=self._clock)
                self._tokens = TokenCache(service.fetch)
            return self._connections, self._tokens

    async def _within(
        self, connections: HttpConnections, tokens: TokenCache, call: UpstreamCall[Body], timeout_seconds: float
    ) -> OutcomeOf[Body]:
        progress = Progress()
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._ask(connections, tokens, call, progress)
        except UnsendableToEnos as error:
            return Failure(FailureKind.REFUSED, "unsendable_call", one_line(str(error)))
        except TokenUnavailable as error:
            kind = FailureKind.DENIED if error.final else FailureKind.TRANSIENT
            return Failure(kind, "credentials_unavailable", one_line(str(error)))
        except (aiohttp.ClientError, OSError, ReplyTooLarge) as error:
            return no_answer(call, progress.stage, error)

    async def _ask(
        self, connections: HttpConnections, tokens: TokenCache, call: UpstreamCall[Body], progress: Progress
    ) -> OutcomeOf[Body]:
        prepared = prepare(call, self._settings)
        alone = type(call) in NOT_REPEATABLE
        token = await tokens.current()
        outcome = self._outcome(call, await self._send(connections, prepared, token, progress, alone=alone))
        if not answers.wants_new_token(outcome):
            return outcome
        # Refused by the gateway means not executed: from here on only the second attempt counts.
        progress.stage = RequestStage.CREDENTIALS
        renewed = await tokens.renew(token)
        if renewed == token:
            return outcome
        return self._outcome(call, await self._send(connections, prepared, renewed, progress, alone=alone))

    async def _send(
        self, connections: HttpConnections, prepared: EnosRequest, token: str, progress: Progress, *, alone: bool
    ) -> HttpReply:
        target = self._url.with_path(prepared.path).with_query(dict(prepared.query)).raw_path_qs
        headers = self._headers(prepared, token)
        return await connections.send(prepared.method, target, headers, prepared.body, alone=alone, progress=progress)

    def _headers(self, prepared: EnosRequest, token: str) -> Mapping[str, str]:
        at_ms = int(self._clock() * 1000)
        return {
            "apim-accesstoken": token,
            "apim-timestamp": str(at_ms),
            "apim-signature": signature(token, prepared.query, prepared.body, at_ms, self._settings.app_secret),
            "Content-Type": "application/json;charset=UTF-8",
        }

    def _outcome(self, call: UpstreamCall[Body], answer: HttpReply) -> OutcomeOf[Body]:
        now = Timestamp()
        now.FromMicroseconds(int(self._clock() * 1_000_000))
        return answers.outcome(call, answer, decode(answer.body), EnosReplyContext(now, self._zones))
