"""A running emulator, and a caller that speaks EnOS by hand."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from headgate_emulator.app import RunningEmulator, serve
from headgate_emulator.enos.signing import encryption, signature
from headgate_emulator.settings import Settings

APP_KEY, APP_SECRET = "testid", "testsecret"
USER = {"userId": "yourUserId", "orgId": "yourOrgId"}

NOW_MS = 1_739_022_200_000

_ticks = itertools.count()


def fresh_ms() -> int:
    """The present time in ms, never the same twice: a proof may be used only once."""
    return time.time_ns() // 1_000_000 + next(_ticks)


class ByHand:
    """Calls of EnOS, signed as its pages say."""

    def __init__(self, session: aiohttp.ClientSession, emulator: RunningEmulator) -> None:
        self._session = session
        self._url = emulator.url
        self.token = ""

    async def fetch_token(self, *, app_key: str = APP_KEY, secret: str = APP_SECRET, at_ms: int = 0) -> dict[str, Any]:
        stamp = at_ms or fresh_ms()
        body = {"appKey": app_key, "encryption": encryption(app_key, str(stamp), secret), "timestamp": stamp}
        async with self._session.post(f"{self._url}/apim-token-service/v2.0/token/get", json=body) as reply:
            found: dict[str, Any] = await reply.json()
        if found.get("status") == 0:
            self.token = found["data"]["accessToken"]
        return found

    async def text(
        self,
        resource: str,
        action: str,
        *,
        body: Mapping[str, Any] | None = None,
        base: str = "/dataflow-batch-service/v2.0",
        secret: str = APP_SECRET,
        **query: str,
    ) -> str:
        if not self.token:
            await self.fetch_token()
        asked = {"action": action, **USER, **query}
        text = "" if body is None else json.dumps(body)
        stamp = str(fresh_ms())
        headers = {
            "apim-accesstoken": self.token,
            "apim-timestamp": stamp,
            "apim-signature": signature(self.token, asked, text, stamp, secret),
            "Content-Type": "application/json",
        }
        method = "GET" if body is None else "POST"
        url = f"{self._url}{base}/{resource}"
        async with self._session.request(method, url, params=asked, data=text or None, headers=headers) as reply:
            return await reply.text()

    async def __call__(self, resource: str, action: str, **given: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.text(resource, action, **given))
        return found


@pytest.fixture
async def emulator() -> AsyncIterator[RunningEmulator]:
    """An emulator whose clock stands still."""
    async with serve(Settings(listen="127.0.0.1:0", time_scale=0, start_ms=NOW_MS)) as running:
        yield running


@pytest.fixture
async def by_hand(emulator: RunningEmulator) -> AsyncIterator[ByHand]:
    async with aiohttp.ClientSession() as session:
        yield ByHand(session, emulator)


async def trigger(by_hand: ByHand, at_ms: int = NOW_MS, **body: Any) -> str:
    """Trigger the second flow of the seed; the id of its instance."""
    reply = await by_hand("flows", "trigger", body={"flowId": 2809, "triggerTime": at_ms, **body})
    found: str = reply["data"]["flowInstanceId"]
    return found
