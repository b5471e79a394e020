"""The server as a process: its one line, its signals, its exit statuses, what it imports and what it shows."""

import os
import re
import signal
from pathlib import Path

import grpc
import pytest
from aiohttp import ClientSession

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub
from tests.server.processes import Start
from tests.server.world import until

pytestmark = pytest.mark.slow


async def test_several_processes_share_one_port(start: Start) -> None:
    async with start(HEADGATE_PROCESSES="2") as (process, world):
        for _ in range(40):
            async with grpc.aio.insecure_channel(world.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
                await JobServiceStub(channel).CountJobs(pb.CountJobsRequest())
        async with ClientSession() as session, session.get(f"{world.ops}/metrics") as response:
            page = await response.text()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0

    match = re.search(r'headgate_rpc_total{code="OK",method="headgate.v1.JobService.CountJobs"} (\d+)', page)
    assert match is not None
    assert 0 < int(match[1]) < 40


async def test_the_end_of_one_process_ends_all(start: Start) -> None:
    async with start(HEADGATE_PROCESSES="2") as (process, _):
        children = children_of(process.pid)
        assert len(children) == 2

        os.kill(children[0], signal.SIGKILL)

        assert await process.wait() == 1
        assert not [pid for pid in children if is_alive(pid)]


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_no_process_outlives_its_parent(start: Start) -> None:
    async with start(HEADGATE_PROCESSES="2") as (process, _):
        children = children_of(process.pid)
        process.kill()
        await process.wait()

        await until(lambda: not any(map(is_alive, children)))
