import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from headgate_cli.dev import services
from headgate_cli.dev.child_process import Child
from headgate_cli.dev.services import Service, ServiceFailedError, ServiceLaunch
from tests.cli.processes import is_alive

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


async def test_every_line_arrives_also_the_last_one_without_an_end() -> None:
    lines: list[str] = []
    child = await Child.spawn("c", python("print('a'); print('é'); print('b', end='')"), on_line=lines.append)

    assert await child.wait() == 0
    assert lines == ["a", "é", "b"]


async def test_an_endless_line_is_left_out_and_the_next_one_arrives() -> None:
    lines: list[str] = []
    child = await Child.spawn("c", python("print('x' * (3 << 20)); print('after')"), on_line=lines.append)

    await child.wait()
    assert lines[-1] == "after" and max(map(len, lines)) < 1 << 20


async def test_a_child_that_does_not_listen_is_ended_by_force() -> None:
    lines: list[str] = []
    child = await Child.spawn("c", python(DEAF), on_line=lines.append)
    async with asyncio.timeout(20):
        while not lines:
            await asyncio.sleep(0.01)

    assert await child.stop(grace=0.1) == -signal.SIGKILL
    assert not is_alive(child.pid)


async def test_a_command_that_does_not_exist_says_so() -> None:
    lines: list[str] = []
    child = await Child.spawn("c", ("/no/such/command",), on_line=lines.append)

    assert await child.wait() == 1
    assert lines == ["/no/such/command: No such file or directory"]


async def test_a_process_that_ends_before_it_is_ready_shows_its_last_lines() -> None:
    launch = ServiceLaunch("server", ("-m", "headgate_no_such_module"), {**os.environ}, re.compile("ready"))

    with pytest.raises(ServiceFailedError, match=r"server ended with status 1\n.*No module named"):
        await Service.start(launch, lambda name, line: None)


async def test_a_process_that_is_never_ready_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "READY_TIMEOUT", 0.5)
    (tmp_path / "mute.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n")
    heard: list[str] = []
    launch = ServiceLaunch(
        "mute", ("-m", "mute"), {**os.environ, "PYTHONPATH": str(tmp_path)}, re.compile("never said")
    )

    with pytest.raises(ServiceFailedError, match="mute was not ready in time"):
        await Service.start(launch, lambda name, line: heard.append(line))

    assert not any(is_alive(int(line)) for line in heard)


async def test_a_ready_line_gives_the_addresses(tmp_path: Path) -> None:
    (tmp_path / "talker.py").write_text("import time\nprint('ready at 127.0.0.1:7', flush=True)\ntime.sleep(60)\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    launch = ServiceLaunch("talker", ("-m", "talker"), environment, re.compile(r"ready at (?P<grpc>\S+)"))

    service = await Service.start(launch, lambda name, line: None)

    assert service.addresses == {"grpc": "127.0.0.1:7"}
    assert await service.stop(grace=5) == -signal.SIGTERM
