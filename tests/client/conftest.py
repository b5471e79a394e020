from collections.abc import AsyncIterator

import pytest

from tests.client.scripted import Running, serve


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with serve() as server:
        yield server


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEADGATE_TARGET", "HEADGATE_TOKEN", "HEADGATE_TLS"):
        monkeypatch.delenv(name, raising=False)
