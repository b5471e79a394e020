"""What a server asks of the system, its scheduling, and of Python, its collector."""

import asyncio
import os
import sys

import pytest

from tests.server.processes import Start


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies are Linux'")
async def test_no_thread_of_a_server_cuts_another_one_short(start: Start) -> None:
    async with start() as (process, _):
        assert os.sched_getscheduler(process.pid) == os.SCHED_BATCH


SETTLE = """
import gc
from headgate_server import app
from headgate_server.process.runtime_tuning import settle
settle()
print(gc.get_freeze_count() > 10_000, len(gc.get_objects()) < 1_000)
"""


async def test_the_collector_passes_by_what_a_ready_process_has_loaded() -> None:
    began = await asyncio.create_subprocess_exec(sys.executable, "-c", SETTLE, stdout=asyncio.subprocess.PIPE, env={})
    output, _ = await began.communicate()

    assert output.decode().strip() == "True True"
