"""EnOS as the engine sees it: calls in, outcomes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from yarl import URL

from headgate_worker.core.model.calls import Call, Failure, OutcomeOf
from headgate_worker.core.model.upstream_call import Body, UpstreamCall
from headgate_worker.upstream.enos import answers
from headgate_worker.upstream.enos.replies import EnosReplyContext, decode
from headgate_worker.upstream.enos.requests import EnosRequest, prepare
from headgate_worker.upstream.enos.settings import EnosSettings, zone_of
from headgate_worker.upstream.enos.signing import signature
from headgate_worker.upstream.enos.token_service import TokenService
from headgate_worker.upstream.enos.tokens import TokenCache
from headgate_worker.upstream.http.adapter import HttpAdapter, HttpSession, timestamp
from headgate_worker.upstream.http.connections import HttpConnections, HttpReply, Progress, tls_context


class Enos(HttpAdapter[HttpConnections, EnosRequest, str]):
    """One user of one organisation.

    Args:
        settings: endpoint and credentials.
        clock: seconds since 1970, for `observe_time` and signatures.
    """

    def __init__(self, settings: EnosSettings, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock
        self._zones = (zone_of(settings.trigger_zone), zone_of(settings.run_zone))
        self._url = URL(settings.endpoint)

    async def _opened(self) -> HttpSession[HttpConnections, str]:
        tls = await tls_context(self._url.scheme, self._settings)
        connections = HttpConnections(self._settings, self._url, tls)
        service = TokenService(self._settings, connections, clock=self._clock)
        return HttpSession(connections, TokenCache(service.fetch))

    def _prepared(self, call: Call) -> EnosRequest:
        return prepare(call, self._settings)

    async def _exchange(
        self, link: HttpConnections, prepared: EnosRequest, secret: str, progress: Progress, *, alone: bool
    ) -> HttpReply:
        target = self._url.with_path(prepared.path).with_query(dict(prepared.query)).raw_path_qs
        headers = self._headers(prepared, secret)
        return await link.send(prepared.method, target, headers, prepared.body, alone=alone, progress=progress)

    def _headers(self, prepared: EnosRequest, token: str) -> Mapping[str, str]:
        at_ms = int(self._clock() * 1000)
        return {
            "apim-accesstoken": token,
            "apim-timestamp": str(at_ms),
            "apim-signature": signature(token, prepared.query, prepared.body, at_ms, self._settings.app_secret),
            "Content-Type": "application/json;charset=UTF-8",
        }

    def _outcome(self, call: UpstreamCall[Body], answer: HttpReply) -> OutcomeOf[Body]:
        return answers.outcome(
            call, answer, decode(answer.body), EnosReplyContext(timestamp(self._clock()), self._zones)
        )

    def _was_for_secret(self, failure: Failure) -> bool:
        return answers.wants_new_token(failure)
