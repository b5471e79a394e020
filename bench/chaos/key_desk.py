"""Keys that are rotated: one part hands out the present pair and token, another refuses all others."""

from __future__ import annotations

import json
import re
import time
from types import TracebackType
from typing import Final, Self

from aiohttp import web

MOST_PAIRS: Final = 20
"""Pairs that the emulator knows before the first rotation."""

PAIRS: Final = ",".join(f"key{n}:secret{n}" for n in range(MOST_PAIRS))
"""All of them, as the emulator's setting."""

_CREDENTIAL = re.compile(r"Credential=([^,\s]+)")

_FRESH_SECONDS = 3_600


class KeyDesk:
    """Hands out keys by HTTP, as ALIBABA_CLOUD_CREDENTIALS_URI does, as an async context manager.

    Attributes:
        refused: calls that came with a pair or token of the past.
        last_refused: by the steady clock, when that was last.
    """

    def __init__(self) -> None:
        self._pair = 0
        self._token = 0
        self._runner: web.AppRunner
        self.refused = 0
        self.last_refused = 0.0

    @property
    def url(self) -> str:
        """Where keys are to be had."""
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/keys"

    def expire_token(self) -> None:
        """From now on the token that was handed out is refused, and another one is handed out."""
        self._token += 1

    def replace_pair(self) -> None:
        """The same for the pair."""
        self._pair += 1

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/keys", self._hand_out)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _hand_out(self, _: web.Request) -> web.Response:
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + _FRESH_SECONDS))
        found = {
            "Code": "Success",
            "AccessKeyId": f"key{self._pair}",
            "AccessKeySecret": f"secret{self._pair}",
            "SecurityToken": f"token{self._token}",
            "Expiration": ends,
        }
        return web.json_response(found)

    def guard(self, request: web.Request) -> web.Response | None:
        """What a call with keys of the past is answered with; None lets it pass."""
        found = _CREDENTIAL.search(request.headers.get("Authorization", ""))
        if found is None or found[1] != f"key{self._pair}":
            return self._refuse("InvalidAccessKeyId.NotFound", 404, "Specified access key is not found.")
        if request.headers.get("x-acs-security-token") != f"token{self._token}":
            return self._refuse("InvalidSecurityToken.Expired", 400, "Specified SecurityToken is expired.")
        return None

    def _refuse(self, code: str, status: int, message: str) -> web.Response:
        self.refused += 1
        self.last_refused = time.monotonic()
        body = json.dumps({"RequestId": "refused", "Code": code, "Message": message})
        return web.Response(status=status, text=body, content_type="application/json")
