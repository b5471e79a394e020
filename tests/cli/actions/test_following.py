"""Many jobs, or instances, followed: a line per change in a pipe."""

import json
import signal

import pytest

from headgate import pb
from tests.cli.processes import ESCAPE, end, read_until, start
from tests.server.instance_rows import RUNNING, SUCCESS, answering
from tests.server.world import World

pytestmark = pytest.mark.slow


async def test_all_jobs_are_watched_in_a_pipe_until_interrupted(world: World) -> None:
    first = await world.submit(options=pb.JobOptions(labels={"team": "orders"}))
    watching = await start("watch", "--all", "--filter", 'labels.team = "orders"', target=world.address)
    await read_until(watching, f"jobs/{first} queued")
    await world.submit(options=pb.JobOptions(labels={"team": "other"}))
    second = await world.submit(options=pb.JobOptions(labels={"team": "orders"}))
    text = await read_until(watching, second)
    watching.send_signal(signal.SIGINT)
    _, err = await watching.communicate()

    assert text.splitlines()[-1].split()[:2] == [second, "#1"]
    assert watching.returncode == 130 and ESCAPE not in text
    token = err.decode().rpartition(" ")[2].strip()
    assert "come back with: headgate watch --all --resume-token" in err.decode()
    await world.worker.say(first)
    resumed = await start("watch", "--all", "--resume-token", token, "-o", "json", target=world.address)
    line = json.loads(await read_until(resumed, "\n"))
    assert (line["job"], line["event"]["revision"]) == (f"jobs/{first}", "2")
    assert await end(resumed, signal.SIGTERM) == 143


async def test_instances_are_watched_until_they_have_ended(world: World) -> None:
    async with answering(world.redis) as upstream:
        upstream.set(5, RUNNING, status_raw="Running", name="orders")
        watching = await start("get", "5", "--watch", target=world.address)
        head = await read_until(watching, "Running")
        upstream.set(5, SUCCESS, status_raw="Success", name="orders")
        rest, _ = await watching.communicate()

    assert head.split()[1:] == ["5", "Running", "orders"]
    assert rest.decode().split()[1:] == ["5", "Success", "orders"]
    assert watching.returncode == 0
