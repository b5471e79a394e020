"""What is set of the interpreter: garbage collector and threads."""

import asyncio
import os
import sys

import pytest

from headgate_server.process.runtime_tuning import COLLECTOR
from tests.server.processes import Start


async def test_the_collector_lets_what_is_on_its_way_be_sent(clean_environment: dict[str, str]) -> None:
    script = "import gc, headgate_server.__main__ as it; it._run = lambda _: print(gc.get_threshold()); it.main([])"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=pipe, env=clean_environment)
    output, _ = await process.communicate()

    assert output.decode().strip() == str(COLLECTOR)


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies are Linux'")
async def test_no_thread_of_a_server_cuts_another_one_short(start: Start) -> None:
    async with start() as (process, _):
        assert os.sched_getscheduler(process.pid) == os.SCHED_BATCH
