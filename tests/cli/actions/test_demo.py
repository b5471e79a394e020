"""The demo and the dev deployment, whole: real Redis, emulator, server and worker."""

import os
import re
import signal
import sys

import pytest

from tests.cli.processes import ESCAPE, all_gone, children, end, headgate, is_alive, read_until, start

pytestmark = pytest.mark.slow

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


@linux_only
async def test_the_demo_shows_both_dates_and_leaves_nothing_behind() -> None:
    # Longer than the interval of reads, of about a second: what ends within it is never seen running.
    process = await start("demo", "--run-seconds", "3")
    out = await read_until(process, "jobs/demo is accepted")
    started = children(process.pid)
    rest, err = await process.communicate()
    out += rest.decode()

    assert (process.returncode, err.decode()) == (0, "")
    assert len(started) == 4  # Redis, emulator, server, worker
    assert not any(is_alive(pid) for pid in started)
    assert ESCAPE not in out
    for said in (
        "2025-02-05 1000341554601 created",
        "2025-02-06 1000341554605 created",
        "2025-02-06 1000341554605 blocked: waits for parent 1000341554601",
        "2025-02-05 1000341554601 running",
        "2025-02-05 1000341554601 succeeded",
        "2025-02-06 1000341554605 succeeded",
        "jobs/demo succeeded",
    ):
        assert said in out, said
    assert out.index("1000341554601 succeeded") < out.index("1000341554605 succeeded")
    table = out.partition("The job's event log:")[2].splitlines()
    revisions = [int(row.split()[0]) for row in table if re.match(r"\d+ ", row)]
    assert revisions == list(range(1, len(revisions) + 1)) and len(revisions) >= 8


@linux_only
async def test_interrupting_the_demo_stops_everything() -> None:
    process = await start("demo", "--run-seconds", "60")
    await read_until(process, "blocked: waits for parent")
    started = children(process.pid)

    assert await end(process, signal.SIGINT) == 130
    assert len(started) == 4 and not any(is_alive(pid) for pid in started)


@linux_only
async def test_dev_prints_a_command_that_works_and_even_killed_leaves_nothing() -> None:
    process = await start("dev", "--free-ports", "--run-seconds", "1")
    out = await read_until(process, "--wait")
    started = children(process.pid)
    target = re.search(r"HEADGATE_TARGET=(\S+) headgate (.*)", out)
    assert target is not None

    done = await headgate(*target[2].split(), target=target[1])
    await end(process, signal.SIGKILL)

    assert done.status == 0 and "2025-02-06 1000341554605 succeeded" in done.out
    assert len(started) == 4
    await all_gone(started)


@linux_only
async def test_dev_says_which_process_failed_and_stops_the_others() -> None:
    process = await start("dev", "--free-ports")
    await read_until(process, "--wait")
    started = children(process.pid)
    newest = max(started)  # server or worker; Redis and emulator come first

    os.kill(newest, signal.SIGKILL)
    _, err = await process.communicate()

    assert process.returncode == 1
    assert re.search(r"headgate: (server|worker) ended with status -9", err.decode())
    assert not any(is_alive(pid) for pid in started)
