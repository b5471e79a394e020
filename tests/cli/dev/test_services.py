"""One of our processes as a child: ready, never ready, ended."""

import os
import re
import signal
from pathlib import Path

import pytest

from headgate_cli.dev import services
from headgate_cli.dev.services import Service, ServiceFailedError, ServiceLaunch
from tests.cli.processes import is_alive


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
