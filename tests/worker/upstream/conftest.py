"""A scripted server, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.credentials import CredentialCache
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings
from tests.worker.upstream.scripted_server import Server, listening

MakeClient = Callable[..., DataWorks]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with listening() as running:
        yield running


@pytest.fixture
async def client_of() -> AsyncIterator[MakeClient]:
    """Make clients of a server that are closed when the test ends; keywords are settings."""
    made: list[DataWorks] = []

    def make(server: Server, *, source: CredentialCache | None = None, **settings: Any) -> DataWorks:
        given = {"endpoint": server.url, "credentials": Credentials("testid", "testsecret"), **settings}
        made.append(DataWorks(DataWorksSettings(**given), credentials=source))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
def client(server: Server, client_of: MakeClient) -> DataWorks:
    return client_of(server)
