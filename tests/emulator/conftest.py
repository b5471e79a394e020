"""A running emulator, and callers that speak to it by hand or through the official SDK."""

import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import aiohttp
import pytest
from alibabacloud_dataworks_public20240518.client import Client
from alibabacloud_tea_openapi.models import Config

from headgate_emulator.app import RunningEmulator, serve
from headgate_emulator.dataworks.signing import acs3_signature, rpc1_signature
from headgate_emulator.scenario import Scenario, scenario_from
from headgate_emulator.settings import Settings

KEY, SECRET = "testid", "testsecret"
FIRST, SECOND = 1000341554601, 1000341554605
BIZ_DATE = 1738684800000
FORM = "application/x-www-form-urlencoded"

_nonces = count(1)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""


class Rpc(Protocol):
    """Call an operation; dicts and lists become JSON text."""

    def __call__(self, action: str, /, *, query: bool = False, **params: Any) -> Awaitable[Reply]: ...


Admin = Callable[..., Awaitable[Reply]]
"""Call an admin endpoint: method, path, body."""


class Begin(Protocol):
    """Run an emulator whose clock stands still, unless the scenario says otherwise."""

    def __call__(
        self, scenario: Scenario | None = None, /, **settings: Any
    ) -> AbstractAsyncContextManager[RunningEmulator]: ...


def stamp(now: datetime | None = None) -> str:
    """The time as both signature schemes spell it."""
    return (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def rpc1_query(method: str, action: str, form: Mapping[str, str], query: Mapping[str, str]) -> dict[str, str]:
    """The query of a call as the aliyun CLI sends it, signed."""
    system = {
        "AccessKeyId": KEY,
        "Action": action,
        "Format": "JSON",
        "RegionId": "cn-hangzhou",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": f"nonce-{next(_nonces)}",
        "SignatureType": "",
        "SignatureVersion": "1.0",
        "Timestamp": stamp(),
        "Version": "2024-05-18",
        **query,
    }
    return {**system, "Signature": rpc1_signature(SECRET, method=method, params={**system, **form})}


def acs3_headers(
    method: str, action: str, host: str, body: bytes, query: Mapping[str, str], **changes: str
) -> dict[str, str]:
    """The headers of a call as the SDK sends it, signed; `changes` are applied before signing."""
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": "2024-05-18",
        "x-acs-date": stamp(),
        "x-acs-signature-nonce": f"nonce-{next(_nonces)}",
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    signature = acs3_signature(
        SECRET,
        method=method,
        query=query,
        headers=headers,
        signed=headers,
        payload_hash=headers["x-acs-content-sha256"],
    )
    names = ";".join(sorted(headers))
    return {
        **headers,
        "Authorization": f"ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={names},Signature={signature}",
    }


def as_text(params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as they travel."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}


async def reply_of(response: aiohttp.ClientResponse) -> Reply:
    """Read a response; a body that is not JSON leaves `body` empty."""
    raw = await response.read()
    body = json.loads(raw) if response.content_type == "application/json" else {}
    return Reply(response.status, body, dict(response.headers), raw)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HEADGATE_EMULATOR_"):
            monkeypatch.delenv(name)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest.fixture
def begin() -> Begin:
    @asynccontextmanager
    async def run(scenario: Scenario | None = None, /, **settings: Any) -> AsyncIterator[RunningEmulator]:
        given = {"listen": "127.0.0.1:0", "time_scale": 0.0, "seed": 1, **settings}
        async with serve(Settings(**given), scenario=scenario) as emulator:
            yield emulator

    return run


@pytest.fixture
async def emulator(begin: Begin) -> AsyncIterator[RunningEmulator]:
    async with begin() as running:
        yield running


@pytest.fixture
def rpc_to(http: aiohttp.ClientSession) -> Callable[[RunningEmulator], Rpc]:
    """Call by hand, signed as the aliyun CLI signs."""

    def to(emulator: RunningEmulator) -> Rpc:
        async def call(action: str, /, *, query: bool = False, **params: Any) -> Reply:
            texts = as_text(params)
            method, form = ("GET", {}) if query else ("POST", texts)
            signed = rpc1_query(method, action, form, texts if query else {})
            async with http.request(
                method, emulator.url, params=signed, data=form or None, allow_redirects=False
            ) as response:
                return await reply_of(response)

        return call

    return to


@pytest.fixture
def rpc(rpc_to: Callable[[RunningEmulator], Rpc], emulator: RunningEmulator) -> Rpc:
    return rpc_to(emulator)


@pytest.fixture
def admin(http: aiohttp.ClientSession, emulator: RunningEmulator) -> Callable[..., Awaitable[Reply]]:
    async def call(method: str, path: str, body: object = None) -> Reply:
        async with http.request(method, f"{emulator.url}{path}", json=body) as response:
            return await reply_of(response)

    return call


@pytest.fixture
def sdk_to() -> Callable[[RunningEmulator], Client]:
    """The official client."""

    def to(emulator: RunningEmulator) -> Client:
        config = Config(access_key_id=KEY, access_key_secret=SECRET, endpoint=emulator.endpoint, protocol="http")
        return Client(config)

    return to


@pytest.fixture
def seed_create() -> dict[str, Any]:
    """The parameters of seed 000's first command, JSON arguments verbatim."""
    return {
        "DefaultRunProperties": """{
  "Analysis": {
    "Enabled": false,
    "Blocked": false
  },
  "Parallelism": 1,
  "RootTaskIds": [1023697426],
  "Mode": "AllDownstream"
}""",
        "EnvType": "Prod",
        "ProjectId": "257880",
        "WorkflowId": "5188541262300189362",
        "Name": "devinTestSparkSQL20run1",
        "Periods": """{
  "BizDates": [{
    "StartBizDate": "2025-02-05",
    "EndBizDate": "2025-02-06"
  }]
}""",
        "Type": "SupplementData",
    }


@pytest.fixture
def scenario() -> Callable[[Mapping[str, Any]], Scenario]:
    """Build a scenario from what a TOML file would hold."""
    return scenario_from


async def backfill(rpc: Rpc, emulator: RunningEmulator, params: dict[str, Any], *, start: bool = True) -> None:
    """Create instances, and start the first two."""
    await rpc("CreateWorkflowInstances", **params)
    emulator.advance(1)
    if start:
        await rpc("StartWorkflowInstances", Ids=[FIRST, SECOND])
