"""The chart of a job as it is drawn: moving, and as it was."""

import asyncio
import json

import pytest
from rich.console import Console

from headgate import pb
from headgate.store import keys
from headgate_cli.actions import chart as actions_chart
from tests.cli.processes import is_plain, run
from tests.cli.views.test_gantt import recorded
from tests.server.jobs.test_retry import ended
from tests.server.world import World

pytestmark = pytest.mark.slow


def test_the_moving_chart_goes_on_between_events() -> None:
    moving = actions_chart.LiveChart()
    console = Console(width=80, height=20, force_terminal=True, color_system=None, legacy_windows=False)
    for event in recorded()[:16]:
        moving.take(event)
    with console.capture() as first:
        console.print(moving)
    moving.reconnecting("UNAVAILABLE", 1.5)
    with console.capture() as second:
        console.print(moving)

    assert "lane 2" in first.get() and "rev 16" in first.get()
    assert second.get().splitlines()[-1] == "lost the stream (UNAVAILABLE); coming back in 1.5 s"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("watch",), "JOB: name a job"),
        (("watch", "x", "--all"), "--all: is for all jobs"),
        (("watch", "--gantt"), "JOB: name a job"),
        (("watch", "--all", "--at", "3"), "--all: is for all jobs"),
        (("watch", "x", "--filter", "state = RUNNING"), "JOB: name a job"),
        (("watch", "--all", "--filter", "state ="), "--filter: filter"),
        (("watch", "--all", "--resume-token", "nonsense"), "resume_token"),
    ],
)
async def test_a_watch_of_nothing_says_what_to_type(world: World, words: tuple[str, ...], said: str) -> None:
    async with asyncio.timeout(30):
        done = await run(world, *words)

    assert done.status == 2 and said in done.err, done.err


async def test_a_job_is_drawn_and_looked_at_as_it_was(world: World) -> None:
    job = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED)
    job_id = keys.job_id(job.name)

    whole = await run(world, "watch", job_id, "--gantt")
    early = await run(world, "watch", job_id, "--at", "2", "--gantt")
    typed = await run(world, "watch", job_id, "--at", "1", "-o", "json")
    plain = await run(world, "watch", job_id, "--at", "2")
    future = await run(world, "watch", job_id, "--at", "99")

    assert whole.status == 1 and whole.out.splitlines()[0].startswith(f"jobs/{job_id}  failed")
    assert early.status == 0 and early.out.splitlines()[0].endswith("rev 2")
    assert max(map(len, (whole.out + early.out).splitlines())) <= 100 and is_plain(whole)
    assert (json.loads(typed.out)["revision"], json.loads(typed.out)["state"]) == ("1", "JOB_STATE_QUEUED")
    assert plain.out.split()[:2] == [f"jobs/{job_id}", "running"]
    assert (future.status, future.err.strip()) == (2, f"headgate: --at: jobs/{job_id} is at revision {job.revision}")
