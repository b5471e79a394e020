"""A reader of the output that has gone, as with head."""

import asyncio
import os
import sys

import pytest

from headgate_cli.process.exit_codes import READER_GONE
from tests.cli.processes import environment, start
from tests.server.world import World

pytestmark = pytest.mark.slow


PIPES = {
    "help": ("--help",),
    "list": ("jobs", "list"),
    "list json": ("jobs", "list", "-o", "json"),
    "events": ("jobs", "events", "first"),
    "events json": ("jobs", "events", "first", "-o", "json"),
    "watch": ("watch", "first"),
    "watch json": ("watch", "first", "-o", "json"),
    "gantt": ("watch", "first", "--gantt"),
    "watch all": ("watch", "--all"),
    "watch all json": ("watch", "--all", "-o", "json"),
    "info": ("info",),
    "token": ("token", "create", "me"),
}


@pytest.mark.parametrize("form", PIPES)
async def test_a_reader_that_has_gone_is_no_error(world: World, form: str) -> None:
    await world.submit(job_id="first")
    if "watch" not in form:
        await world.worker.finish("first")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "headgate_cli", *PIPES[form]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=asyncio.subprocess.PIPE,
            env=environment(world.address),
        )
    finally:
        os.close(writing)
    async with asyncio.timeout(40):
        if form == "gantt":
            await world.worker.finish("first")
        _, err = await process.communicate()

    assert process.returncode == READER_GONE
    assert err == b"" or form == "token"  # which tells its secret on standard error


async def test_a_stream_ends_when_its_reader_goes_later(world: World) -> None:
    await world.submit(job_id="first")
    watching = await start("watch", "first", target=world.address)
    assert watching.stdout is not None
    await watching.stdout.readline()
    transport = watching._transport  # type: ignore[attr-defined]  # the only way to close one end of a process's pipes
    transport.get_pipe_transport(1).close()
    async with asyncio.timeout(40):
        while watching.returncode is None:
            await world.worker.say("first")
            await asyncio.sleep(0.05)

    assert watching.returncode == READER_GONE
