"""An adapter to a cloud over HTTP: one request for a call, within a time, and what came of it.

What differs between clouds is a subclass': how a request is made, signed and read, and where its secret comes from.
A request that was refused for its secret alone was not executed, so it is sent once more with a new one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import aiohttp
from google.protobuf.timestamp_pb2 import Timestamp

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
from headgate_worker.upstream.http.connections import HttpReply, Progress, ReplyTooLarge, RequestStage
from headgate_worker.upstream.http.failures import (
    SecretUnavailable,
    UnsendableCall,
    no_answer,
    one_line,
    unreachable,
)

_log = logging.getLogger(__name__)

Secret = TypeVar("Secret")
Prepared = TypeVar("Prepared")


class HttpLink(Protocol):
    """Connections to one endpoint."""

    async def reach(self) -> None:
        """See whether a connection can be had; raises where none can."""

    async def aclose(self) -> None:
        """Close every connection."""


LinkT = TypeVar("LinkT", bound=HttpLink)


class SecretSource(Protocol[Secret]):
    """Holds what requests are signed with."""

    async def current(self) -> Secret:
        """The secret to sign with. Raises SecretUnavailable."""

    async def renew(self, rejected: Secret) -> Secret:
        """Another one than `rejected`; `rejected` again where there is no other. Raises SecretUnavailable."""

    async def aclose(self) -> None:
        """Give up a fetch that is under way."""


@dataclass(frozen=True, slots=True)
class HttpSession(Generic[LinkT, Secret]):
    """What an adapter has once it is open."""

    link: LinkT
    secrets: SecretSource[Secret]


class HttpAdapter(ABC, Generic[LinkT, Prepared, Secret]):
    """One account at one endpoint. Implements `headgate_worker.ports.upstreams.Upstream`.

    Belongs to the event loop of its first call. Many calls may be under way at once.
    """

    def __init__(self) -> None:
        self._opening = asyncio.Lock()
        self._session: HttpSession[LinkT, Secret] | None = None
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

        Two exceptions to "one": a secret is fetched when none is held, and a request that was refused for its secret is
        sent once more with a new one.

        Raises:
            RuntimeError: this was closed.
        """
        session = await self._ready()
        started = time.monotonic()
        outcome = await self._within_time(session, call, timeout_seconds)
        outcome = replace(outcome, latency_seconds=time.monotonic() - started)
        _log_outcome(call, outcome)
        return outcome

    async def reach(self, *, timeout_seconds: float) -> Failure | None:
        """Why no connection can be had now; None when one can. Sends nothing."""
        session = await self._ready()
        try:
            async with asyncio.timeout(timeout_seconds):
                await session.link.reach()
        except (aiohttp.ClientError, OSError) as error:
            return unreachable(error)
        return None

    async def aclose(self) -> None:
        """Close connections; calls after it are an error."""
        self._closed = True
        if self._session is not None:
            await self._session.secrets.aclose()
            await self._session.link.aclose()

    async def _ready(self) -> HttpSession[LinkT, Secret]:
        if self._closed:
            raise RuntimeError(f"this {type(self).__name__} was closed")
        if self._session is not None:
            return self._session
        async with self._opening:
            self._session = self._session or await self._opened()
            return self._session

    async def _within_time(
        self, session: HttpSession[LinkT, Secret], call: UpstreamCall[Body], timeout_seconds: float
    ) -> OutcomeOf[Body]:
        progress = Progress()
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._ask(session, call, progress)
        except UnsendableCall as error:
            return Failure(FailureKind.REFUSED, "unsendable_call", one_line(str(error)))
        except SecretUnavailable as error:
            kind = FailureKind.DENIED if error.final else FailureKind.TRANSIENT
            return Failure(kind, "credentials_unavailable", one_line(str(error)))
        except (aiohttp.ClientError, OSError, ReplyTooLarge) as error:
            return no_answer(call, progress.stage, error)

    async def _ask(
        self, session: HttpSession[LinkT, Secret], call: UpstreamCall[Body], progress: Progress
    ) -> OutcomeOf[Body]:
        prepared = self._prepared(call)
        alone = type(call) in NOT_REPEATABLE
        secret = await session.secrets.current()
        outcome = self._outcome(call, await self._exchange(session.link, prepared, secret, progress, alone=alone))
        if not (isinstance(outcome, Failure) and self._was_for_secret(outcome)):
            return outcome
        # Refused for its secret means not executed: from here on only the second attempt counts.
        progress.stage = RequestStage.CREDENTIALS
        renewed = await session.secrets.renew(secret)
        if renewed == secret:
            return outcome
        return self._outcome(call, await self._exchange(session.link, prepared, renewed, progress, alone=alone))

    @abstractmethod
    async def _opened(self) -> HttpSession[LinkT, Secret]:
        """Connections and secrets, with no connection open yet. Raises OSError."""

    @abstractmethod
    def _prepared(self, call: Call) -> Prepared:
        """The request of a call. Raises UnsendableCall."""

    @abstractmethod
    async def _exchange(
        self, link: LinkT, prepared: Prepared, secret: Secret, progress: Progress, *, alone: bool
    ) -> HttpReply:
        """Sign a request and send it, `alone` on a connection of its own. Raises as `HttpConnections.send` does."""

    @abstractmethod
    def _outcome(self, call: UpstreamCall[Body], answer: HttpReply) -> OutcomeOf[Body]:
        """What a reply means."""

    @abstractmethod
    def _was_for_secret(self, failure: Failure) -> bool:
        """Whether a call was refused for its secret alone."""


def timestamp(seconds: float) -> Timestamp:
    """Seconds since 1970 as a message."""
    moment = Timestamp()
    moment.FromMicroseconds(int(seconds * 1_000_000))
    return moment


def _log_outcome(call: Call, outcome: Outcome) -> None:
    said = "ok" if isinstance(outcome, Reply) else outcome.code
    action = ACTIONS[type(call)]
    _log.debug("%s: %s in %.3f s, request %s", action, said, outcome.latency_seconds, outcome.request_id)
