"""DataWorks as the engine sees it: calls in, outcomes out."""

from __future__ import annotations

import time
from collections.abc import Callable

from headgate_worker.core.model.calls import Call, Failure, OutcomeOf
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.upstream.dataworks import errors
from headgate_worker.upstream.dataworks.credentials import CredentialCache, DefaultChain, static
from headgate_worker.upstream.dataworks.quiet import quiet_sdk
from headgate_worker.upstream.dataworks.replies import answers
from headgate_worker.upstream.dataworks.replies.reading import DataWorksReplyContext
from headgate_worker.upstream.dataworks.requests.prepared import DataWorksRequest, prepare
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings
from headgate_worker.upstream.dataworks.transport import Transport, open_transport
from headgate_worker.upstream.http.adapter import HttpAdapter, HttpSession, timestamp
from headgate_worker.upstream.http.connections import HttpReply, Progress


class DataWorks(HttpAdapter[Transport, DataWorksRequest, Credentials]):
    """One account in one region.

    Args:
        settings: endpoint and credentials.
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
        super().__init__()
        self._settings = settings
        fetch = DefaultChain() if settings.credentials is None else static(settings.credentials)
        self._credentials = credentials or CredentialCache(fetch)
        self._clock = clock
        quiet_sdk()

    async def _opened(self) -> HttpSession[Transport, Credentials]:
        return HttpSession(await open_transport(self._settings), self._credentials)

    def _prepared(self, call: Call) -> DataWorksRequest:
        return prepare(call)

    async def _exchange(
        self, link: Transport, prepared: DataWorksRequest, secret: Credentials, progress: Progress, *, alone: bool
    ) -> HttpReply:
        return await link.exchange(prepared, secret, seconds=self._clock(), alone=alone, progress=progress)

    def _outcome(self, call: UpstreamCall[Body], answer: HttpReply) -> OutcomeOf[Body]:
        body = answers.decode(answer)
        context = DataWorksReplyContext(timestamp(self._clock()), answers.request_id(answer, body))
        return answers.outcome(call, answer, body, context)

    def _was_for_secret(self, failure: Failure) -> bool:
        return errors.wants_new_credentials(failure.code)
