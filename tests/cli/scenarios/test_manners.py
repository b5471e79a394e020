"""The manners of a command in a shell: version, completion, a reader that has gone, questions before an end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from importlib import metadata

import pytest

from headgate import pb
from headgate_cli.dev.redis_server import RedisServer
from headgate_cli.process.exit_codes import INTERRUPTED, READER_GONE
from tests.cli.processes import environment, headgate, start
from tests.cli.terminal import at_terminal
from tests.server.jobs.test_retry import ended
from tests.server.world import World, backfill, serving

pytestmark = pytest.mark.slow


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with RedisServer() as redis, serving(redis.url) as found:
        yield found


async def test_the_version_is_that_of_the_package() -> None:
    done = await headgate("--version")

    assert (done.status, done.out) == (0, f"headgate {metadata.version('headgate')}\n")


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


async def test_a_script_for_the_shell_is_shown() -> None:
    done = await headgate("--show-completion", "bash")

    assert done.status == 0 and "_HEADGATE_COMPLETE=complete_bash" in done.out


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


async def test_a_person_is_asked_before_a_job_ends_and_may_say_no(world: World) -> None:
    await world.submit(job_id="first")

    declined, text = await at_terminal(world.address, "n\n", "cancel", "first")
    assert declined == INTERRUPTED and "End first?" in text and "nothing was done" in text
    assert "jobs/first is queued" in text and "without an instance, and getting none: 2 dates, " in text
    assert (await world.worker.load("first")).state == pb.JOB_STATE_QUEUED
    interrupted, _ = await at_terminal(world.address, "\x03", "cancel", "first")
    assert interrupted in (1, INTERRUPTED, -signal.SIGINT)
    assert (await world.worker.load("first")).state == pb.JOB_STATE_QUEUED
    agreed, _ = await at_terminal(world.address, "y\n", "cancel", "first")
    assert agreed == 0 and (await world.worker.load("first")).state == pb.JOB_STATE_CANCELLING


async def test_a_person_is_asked_before_a_job_is_deleted_unless_told_not_to(world: World) -> None:
    for name in ("one", "two", "three"):
        await world.submit(job_id=name)
        await world.worker.finish(name)

    declined, text = await at_terminal(world.address, "\n", "jobs", "delete", "one")
    told, shown = await at_terminal(world.address, "", "jobs", "delete", "two", "--yes")
    piped = await headgate("jobs", "delete", "three", target=world.address)
    left = json.loads((await headgate("jobs", "list", "-o", "json", target=world.address)).out)

    assert declined == INTERRUPTED and "Delete one and its log?" in text and "revisions is deleted" in text
    assert told == 0 and "[y/N]" not in shown
    assert piped.status == 0 and "[y/N]" not in piped.out + piped.err
    assert [job["name"] for job in left["jobs"]] == ["jobs/one"]


async def test_a_retry_whose_dates_others_have_is_told_what_it_can_do(world: World) -> None:
    job = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED, hold=True)
    request = backfill(job_id="other")
    request.spec.overlap = pb.OVERLAP_REJECT
    await world.backfills.CreateBackfill(request)

    done = await headgate("jobs", "retry", job.name, target=world.address)

    assert done.status == 5 and "(BACKFILL_OVERLAP)" in done.err and "--overlap" not in done.err
    assert "headgate watch other; or name other dates with --biz-dates." in done.err


async def test_a_person_is_told_which_dates_a_retry_runs_and_a_script_is_not_asked(world: World) -> None:
    job = await ended(world, pb.RUN_STATE_STOPPED, pb.RUN_STATE_FAILED)
    failed = f"{job.runs[1].biz_date.year}-{job.runs[1].biz_date.month:02}-{job.runs[1].biz_date.day:02}"

    declined, text = await at_terminal(world.address, "n\n", "jobs", "retry", job.name, "--failed")
    assert declined == INTERRUPTED and f"run again, each in a new instance: 1 date, {failed}" in text
    both = await headgate("jobs", "retry", job.name, "--failed", "--biz-dates", failed, target=world.address)
    assert both.status == 2 and "--failed" in both.err
    piped = await headgate("jobs", "retry", job.name, "--failed", "-o", "json", target=world.address)
    assert piped.status == 0 and "[y/N]" not in piped.out + piped.err
    runs = (await world.worker.load(job.name.removeprefix("jobs/"))).runs
    assert [pb.RunState.Name(run.state) for run in runs] == ["RUN_STATE_STOPPED", "RUN_STATE_PLANNED"]
