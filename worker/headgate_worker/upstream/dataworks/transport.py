"""The SDK's client on our connections.

Models and request shaping stay the SDK's. Its transport is replaced: the stock one builds a session and a
TLS context for each call, on the event loop (41 ms of CPU, measured), and follows redirects. Every generated method
ends in `call_api_async`, which is the one overridden here.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alibabacloud_dataworks_public20240518.client import Client
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import Config
from yarl import URL

from headgate_worker.upstream.dataworks.requests.prepared import DataWorksRequest
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings, Endpoint
from headgate_worker.upstream.dataworks.signing import Unsigned, query_text, signed_headers
from headgate_worker.upstream.http.connections import HttpConnections, HttpReply, Progress, tls_context


@dataclass(slots=True)
class Exchange:
    """One attempt of one request; stands where the SDK expects its runtime options.

    The reply is left here as it came: the SDK's response models check no types and hide what they can't read.
    """

    credentials: Credentials
    seconds: float
    extra: Mapping[str, str]
    alone: bool
    progress: Progress
    answer: HttpReply | None = field(default=None)


class Transport(Client):  # type: ignore[misc]  # the SDK is not typed
    """A client of one endpoint. Made by `open_transport`."""

    def __init__(self, config: Config, scheme: str, settings: DataWorksSettings, tls: ssl.SSLContext | None) -> None:
        super().__init__(config)
        self.url = URL(f"{scheme}://{self._endpoint}/")
        self._connections = HttpConnections(
            settings, self.url, tls, retry_after="x-acs-retry-after", request_id="x-acs-request-id"
        )
        self._agent = Utils.get_user_agent(self._user_agent)

    async def exchange(
        self, prepared: DataWorksRequest, credentials: Credentials, *, seconds: float, alone: bool, progress: Progress
    ) -> HttpReply:
        """Send one request once, signed at `seconds` since 1970. Raises what `HttpConnections.send` raises."""
        exchange = Exchange(credentials, seconds, prepared.extra, alone, progress)
        await getattr(self, prepared.method)(prepared.model, exchange)
        if exchange.answer is None:
            raise RuntimeError(f"the SDK's {prepared.method} did not go through call_api_async")
        return exchange.answer

    async def reach(self) -> None:
        """See whether a connection can be had. Raises what `HttpConnections.reach` raises."""
        await self._connections.reach()

    async def call_api_async(self, params: Any, request: Any, runtime: Exchange) -> dict[str, Any]:
        """Send what a generated method has shaped. The reply goes into `runtime`, the SDK gets an empty one."""
        query = query_text(request.query or {})
        unsigned = Unsigned(
            method=params.method,
            host=self._endpoint,
            version=params.version,
            action=params.action,
            query=query,
            form=Utils.to_form({**runtime.extra, **(request.body or {})}),
            user_agent=self._agent,
        )
        runtime.answer = await self._connections.send(
            params.method,
            f"/?{query}" if query else "/",
            signed_headers(unsigned, runtime.credentials, seconds=runtime.seconds, nonce=secrets.token_hex(16)),
            unsigned.form,
            alone=runtime.alone,
            progress=runtime.progress,
        )
        return {}

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()


async def open_transport(settings: DataWorksSettings) -> Transport:
    """A transport for the endpoint of `settings`, with no connection open yet.

    Raises:
        OSError: the file of authorities can't be read.
    """
    endpoint = Endpoint.parse(settings.endpoint) if settings.endpoint is not None else None
    scheme = endpoint.scheme if endpoint else "https"
    config = Config(region_id=settings.region, endpoint=endpoint.host if endpoint else None)
    return Transport(config, scheme, settings, await tls_context(scheme, settings))
