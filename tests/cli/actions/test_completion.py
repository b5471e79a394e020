"""Ids of jobs as a shell completes them."""

import asyncio
import sys

import pytest

from tests.cli.processes import environment
from tests.server.world import World

pytestmark = pytest.mark.slow


async def completed(words: str, target: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate_cli"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={
            **environment(target),
            "_HEADGATE_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert not err, err
    return out.decode().split()


async def test_a_shell_completes_commands_and_jobs(world: World) -> None:
    await asyncio.gather(*(world.submit(job_id=name) for name in ("orders-2025", "orders-2026", "other")))

    assert {"retry", "resolve"} <= set(await completed("headgate jobs re", world.address))
    assert set(await completed("headgate watch orders", world.address)) == {"orders-2025", "orders-2026"}
    assert await completed("headgate jobs get jobs/ot", world.address) == ["jobs/other"]
    assert await completed("headgate jobs get o", "127.0.0.1:9") == []  # nobody listens there: no word on it either
