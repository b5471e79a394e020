"""A running emulator, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate_emulator.app import RunningEmulator, serve
from headgate_emulator.settings import Settings
from headgate_worker.core.model import flow_calls
from headgate_worker.core.model.calls import Call, Failure, Reply
from headgate_worker.upstream.enos.client import Enos
from headgate_worker.upstream.enos.settings import EnosSettings
from tests.worker.upstream.enos.samples import SECOND_ID

NOW_MS = 1_739_022_200_000
GET = flow_calls.GetFlow(SECOND_ID)


@pytest.fixture
async def emulator() -> AsyncIterator[RunningEmulator]:
    """An emulator whose clock stands still."""
    async with serve(Settings(listen="127.0.0.1:0", time_scale=0, start_ms=NOW_MS)) as running:
        yield running


@pytest.fixture
async def enos(emulator: RunningEmulator) -> AsyncIterator[Enos]:
    async with client_of(emulator) as client:
        yield client


def client_of(emulator: RunningEmulator, **given: Any) -> Enos:
    credentials = {"app_key": "testid", "app_secret": "testsecret", "user_id": "yourUserId", "org_id": "yourOrgId"}
    return Enos(EnosSettings(**{"endpoint": emulator.url, **credentials, **given}))


async def body(client: Enos, call: Call) -> Any:
    outcome = await client.call(call, timeout_seconds=5)
    assert isinstance(outcome, Reply), outcome
    return outcome.body


async def failure(client: Enos, call: Call) -> Failure:
    outcome = await client.call(call, timeout_seconds=5)
    assert isinstance(outcome, Failure), outcome
    return outcome
