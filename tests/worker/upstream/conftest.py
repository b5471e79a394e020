"""A scripted server, clients of it, and credentials that a test changes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from headgate_worker.upstream.dataworks.client import DataWorks
from headgate_worker.upstream.dataworks.credentials import CredentialCache
from headgate_worker.upstream.dataworks.settings import Credentials, DataWorksSettings
from tests.worker.upstream.dataworks.specs import SECONDS
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


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Provider:
    """Gives key 1, 2, 3, ... or fails; may be held up in the middle."""

    def __init__(self) -> None:
        self.asked: list[bool] = []
        self.threads: set[int] = set()
        self.error: Exception | None = None
        self.same = False
        self.go = threading.Event()
        self.go.set()

    def __call__(self, anew: bool) -> Credentials:
        self.asked.append(anew)
        self.threads.add(threading.get_ident())
        assert self.go.wait(SECONDS)
        if self.error is not None:
            raise self.error
        number = 1 if self.same else len(self.asked)
        return Credentials(f"key-{number}", "the secret", f"token-{number}", "default/test")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def cache(provider: Provider, clock: Clock) -> CredentialCache:
    return CredentialCache(provider, clock=clock)


async def finished() -> None:
    """Wait for the refresh that is under way."""
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == "dataworks-credentials"]
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*tasks)
