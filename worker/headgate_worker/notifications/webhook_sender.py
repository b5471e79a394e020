"""Sends the requests of one endpoint over HTTP: one POST, no redirect, no cookie, no proxy, a bounded reply."""

from __future__ import annotations

from typing import Final, Protocol

import aiohttp
from yarl import URL

from headgate_worker.notifications import forms
from headgate_worker.notifications.forms import WebhookRequest
from headgate_worker.notifications.rules import Form, WebhookEndpoint
from headgate_worker.notifications.schedule import WebhookReply

MAX_REPLY: Final = 65_536
"""Bytes of a reply that are read; what comes after is left."""


class Sender(Protocol):
    """Sends requests to one endpoint."""

    async def send(self, request: WebhookRequest) -> WebhookReply:
        """Send once; raises nothing for what an endpoint may do."""

    async def aclose(self) -> None:
        """Close connections."""


class WebhookSender:
    """A session of its own, so that a slow endpoint takes no connection of another.

    Args:
        endpoint: whose requests; made within the loop that sends.
    """

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        self._form = endpoint.form
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=endpoint.parallel),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=endpoint.timeout_seconds),
            headers={"User-Agent": "headgate"},
            trust_env=False,
        )

    async def send(self, request: WebhookRequest) -> WebhookReply:
        """Send once. What is told of a failure has no address in it, since that may hold a token."""
        url = URL(request.url, encoded=True)
        try:
            async with self._session.post(
                url, data=request.body, headers=request.headers, allow_redirects=False
            ) as response:
                body = await _beginning(response)
                return _judged(self._form, response, body)
        except TimeoutError:
            return WebhookReply(0, "no reply in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return WebhookReply(0, f"no reply ({type(error).__name__})")

    async def aclose(self) -> None:
        """Close connections."""
        await self._session.close()


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    while len(found) < MAX_REPLY and (piece := await response.content.read(MAX_REPLY - len(found))):
        found += piece
    return bytes(found)


def _judged(form: Form, response: aiohttp.ClientResponse, body: bytes) -> WebhookReply:
    if 300 <= response.status < 400:
        return WebhookReply(response.status, f"status {response.status}: redirects are not followed")
    if not 200 <= response.status < 300:
        return WebhookReply(response.status, f"status {response.status}", _wait(response))
    problem = forms.refusal(form, body)
    return WebhookReply(response.status, problem and f"status {response.status} with {problem}")


def _wait(response: aiohttp.ClientResponse) -> float:
    """Seconds that the endpoint asks for; a date there counts as none."""
    text = response.headers.get("Retry-After", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0
