"""What a server asks of the system: its scheduling."""

import os
import sys

import pytest

from tests.server.processes import Start


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies are Linux'")
async def test_no_thread_of_a_server_cuts_another_one_short(start: Start) -> None:
    async with start() as (process, _):
        assert os.sched_getscheduler(process.pid) == os.SCHED_BATCH
