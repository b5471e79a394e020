"""Calls as they arrive at a server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate_worker.core.model import calls
from headgate_worker.upstream.dataworks.client import DataWorks
from tests.worker.upstream.scripted_server import Seen, Server, always, http


class Sent:
    """Sends calls to a server that refuses them all, and shows what arrived."""

    def __init__(self, server: Server, client: DataWorks) -> None:
        self._server = server
        self._client = client

    async def __call__(self, call: calls.Call) -> Seen:
        await self._client.call(call, timeout_seconds=10)
        return self._server.seen[-1]


@pytest.fixture
async def sent(server: Server, client: DataWorks) -> AsyncIterator[Sent]:
    server.behave = always(http({"Code": "NoMatter"}, 400))
    yield Sent(server, client)
