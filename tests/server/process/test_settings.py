"""Settings: a wrong one is named, a secret is masked, an open server is refused."""

import asyncio
import signal
from pathlib import Path

import pytest
from aiohttp import ClientSession

from headgate.process import redis_url
from headgate_server.process import settings
from tests.server.callers import write
from tests.server.processes import Start, spawn


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEADGATE_LISTEN", "nowhere"),
        ("HEADGATE_OPS_LISTEN", "127.0.0.1:99999"),
        ("HEADGATE_REDIS_URL", "http://127.0.0.1"),
        ("HEADGATE_PROCESSES", "0"),
        ("HEADGATE_JOB_TTL", "soon"),
        ("HEADGATE_MAX_STREAM_AGE", "-1"),
        ("HEADGATE_LOG_FORMAT", "xml"),
        ("HEADGATE_TLS_CERT", "/nowhere/cert.pem"),
        ("HEADGATE_TLS_CLIENT_CA", "/nowhere/ca.pem"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(settings.BadSettings, match=name):
        settings.load()


async def test_a_wrong_setting_stops_the_process(clean_environment: dict[str, str]) -> None:
    process = await spawn(clean_environment, HEADGATE_PROCESSES="many")
    _, errors = await process.communicate()

    assert process.returncode == 2
    assert errors.decode().startswith("headgate server: HEADGATE_PROCESSES: ")


def test_secrets_are_masked_when_settings_are_shown() -> None:
    shown = settings.load(redis_url="rediss://me:hunter2@host:1/0?ssl_keyfile=k").masked()

    assert shown["HEADGATE_REDIS_URL"] == "rediss://me:***@host:1/0?***"
    assert "hunter2" not in str(shown)
    assert redis_url.mask("redis://host:1/0") == "redis://host:1/0"
    assert redis_url.mask("redis://:hunter2@host") == "redis://:***@host"


OPEN = {"HEADGATE_PUBLISHED": "192.0.2.1"}


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (OPEN, b"=open"),
        ({"HEADGATE_LISTEN": "0.0.0.0:0"}, b"=open"),
        ({**OPEN, "HEADGATE_CALLERS": "x"}, b"=plaintext-"),
    ],
)
async def test_a_start_in_the_open_is_refused(
    clean_environment: dict[str, str], redis_url: str, tmp_path: Path, given: dict[str, str], word: bytes
) -> None:
    if "HEADGATE_CALLERS" in given:
        given = {**given, "HEADGATE_CALLERS": str(write(tmp_path / "callers.toml"))}
    process = await spawn(clean_environment, HEADGATE_REDIS_URL=redis_url, **given)
    _, errors = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 2
    assert b"HEADGATE_ALLOW_INSECURE" + word in errors and b"Traceback" not in errors


async def test_a_start_in_the_open_that_is_meant_is_warned_of_and_shown(start: Start) -> None:
    async with start(**OPEN, HEADGATE_ALLOW_INSECURE="open") as (process, world):
        async with ClientSession() as session, session.get(f"{world.ops}/metrics") as response:
            page = await response.text()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        logged = (await process.stderr.read()).decode()

    assert 'headgate_insecure{fact="open"} 1.0' in page and 'headgate_insecure{fact="plaintext-tokens"} 0.0' in page
    assert "WARNING" in logged and "open is meant by HEADGATE_ALLOW_INSECURE: everyone" in logged


async def test_a_server_that_listens_here_only_says_nothing_of_it(start: Start) -> None:
    async with start() as (process, world):
        async with ClientSession() as session, session.get(f"{world.ops}/metrics") as response:
            assert 'headgate_insecure{fact="open"} 0.0' in await response.text()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert b"WARNING" not in await process.stderr.read()
