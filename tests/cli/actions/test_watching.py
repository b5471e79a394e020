"""A job that is followed: a line per event in a pipe, a document per item as JSON."""

import json
import signal

import pytest

from headgate import pb
from tests.cli.processes import ESCAPE, end, headgate, read_until, start
from tests.client.scripted import Fault, Plan, Running, make_log, serve

pytestmark = pytest.mark.slow


async def test_a_watch_in_a_pipe_is_a_plain_line_per_event(running: Running) -> None:
    running.script.play([Plan(sent=2, fault=Fault.UNAVAILABLE)])

    done = await headgate("watch", "orders-2025", target=running.target)

    lines = done.out.splitlines()
    assert done.status == 0
    assert [line.split()[0] for line in lines[:-1]] == [f"#{n}" for n in range(1, 7)]
    assert lines[-1].startswith("jobs/orders-2025 succeeded")
    assert "lost the stream (UNAVAILABLE STORE_UNAVAILABLE)" in done.err
    assert ESCAPE not in done.out + done.err


async def test_a_watch_as_json_is_one_document_a_line(running: Running) -> None:
    done = await headgate("watch", "orders-2025", "--output", "json", target=running.target)

    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["revision"] for row in rows] == ["1", "2", "3", "4", "5", "6", "6"]
    assert rows[0]["event"]["type"] == "EVENT_TYPE_ACCEPTED" and "end" in rows[-1]


async def test_a_failed_job_is_status_1() -> None:
    async with serve(make_log(4, pb.JOB_STATE_FAILED)) as running:
        done = await headgate("watch", "orders-2025", target=running.target)

    assert done.status == 1


async def test_interrupting_a_watch_says_that_the_job_goes_on(running: Running) -> None:
    running.script.play([Plan(sent=2, fault=Fault.HANG)])
    process = await start("watch", "orders-2025", target=running.target)
    await read_until(process, "#2")

    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()

    assert process.returncode == 130
    assert err.decode() == "headgate: jobs/orders-2025 goes on; come back with: headgate watch orders-2025\n"


async def test_sigterm_ends_a_watch_too(running: Running) -> None:
    running.script.play([Plan(sent=1, fault=Fault.HANG)])
    process = await start("watch", "orders-2025", target=running.target)
    await read_until(process, "#1")

    assert await end(process, signal.SIGTERM) == 143
