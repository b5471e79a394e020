"""What the commands about jobs do, as processes against real servers."""

import asyncio
import json
import signal

import pytest

from headgate import pb
from headgate.store import keys
from tests.cli.processes import ESCAPE, end, headgate, is_plain, read_until, run, start
from tests.client.scripted import Running
from tests.server.jobs.test_resolve import in_doubt
from tests.server.jobs.test_retry import ended
from tests.server.world import World, until

pytestmark = pytest.mark.slow


async def test_pause_resume_and_what_they_refuse(world: World) -> None:
    job_id = await world.submit()

    paused = await run(world, "jobs", "pause", job_id, "--reason", "later")
    resumed = await run(world, "jobs", "resume", job_id)
    again = await run(world, "jobs", "resume", job_id)

    assert (paused.status, paused.out.split()[:2]) == (0, [f"jobs/{job_id}", "paused"])
    assert (resumed.status, resumed.out.split()[1]) == (0, "running")
    assert (again.status, again.out) == (5, "")
    assert again.err.splitlines() == [
        f"headgate: jobs/{job_id} is RUNNING and is not paused (STATE_CONFLICT)",
        f"  See where it stands: headgate jobs get {job_id}",
    ]
    assert is_plain(paused) and is_plain(again)


async def test_explain_in_words_and_as_json(world: World) -> None:
    job_id = await world.submit()

    told = await run(world, "explain", job_id)
    typed = await run(world, "jobs", "explain", job_id, "-o", "json")
    await world.worker.finish(job_id)
    done = await run(world, "explain", job_id)

    assert [line.split("  ")[0] for line in told.out.splitlines()] == ["CAUSE", "worker absent", "queue"]
    assert [cause["kind"] for cause in json.loads(typed.out)["causes"]] == [
        "CAUSE_KIND_WORKER_ABSENT",
        "CAUSE_KIND_QUEUE",
    ]
    assert done.out == "nothing is in its way\n"


async def test_update_changes_what_is_typed_and_says_what_can_not(world: World) -> None:
    job_id = await world.submit()

    changed = await run(world, "jobs", "update", job_id, "--priority", "5", "--label", "team=orders", "--keep", "2d")
    both = await run(
        world, "jobs", "update", job_id, "--parallelism", "3", "--max-attempts", "2", "--on-failure", "continue"
    )
    wrong = await run(world, "jobs", "update", job_id, "--parallelism", "11", "--keep", "1s")
    nothing = await run(world, "jobs", "update", job_id)
    sooner = await run(world, "jobs", "update", job_id, "--deadline", "2h", "--label", "", "-o", "json")
    events = await run(world, "jobs", "events", job_id)

    assert (changed.status, changed.out.split()[:2], both.status) == (0, [f"jobs/{job_id}", "queued"], 0)
    assert wrong.status == 2 and "--parallelism" in wrong.err and "--keep" in wrong.err
    assert nothing.status == 2 and "--priority 5" in nothing.err
    job = json.loads(sooner.out)
    assert (job["priority"], job["ttlAfterEnd"], "labels" in job) == (5, "172800s", False)
    assert job["backfill"]["onFailure"] == "ON_FAILURE_CONTINUE"
    assert "priority 0 -> 5" in events.out and is_plain(changed)


async def test_retry_of_named_dates_and_of_a_job_that_runs(world: World) -> None:
    job = await ended(world, pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED)
    job_id = keys.job_id(job.name)

    done = await run(world, "jobs", "retry", job_id, "--biz-dates", "2025-02-05..2025-02-06", "--request-id", "a")
    again = await run(world, "jobs", "retry", job_id)
    shown = await run(world, "jobs", "get", job_id)

    assert (done.status, done.out.split()[1]) == (0, "running")
    assert again.status == 5 and "headgate jobs get" in again.err
    assert sum("planned" in line for line in shown.out.splitlines()) == 2


async def test_resolve_shows_the_way_from_doubt_to_a_decision(world: World) -> None:
    job = await in_doubt(world)
    job_id = keys.job_id(job.name)

    watched = await run(world, "watch", job_id)
    wrong = await run(world, "jobs", "resolve", job_id, "Maybe")
    done = await run(world, "jobs", "resolve", job_id, "Executed", "--instance-ids", "11,12", "--reason", "seen")
    late = await run(world, "jobs", "resolve", job_id, "Abandon")

    assert watched.status == 1 and f"headgate jobs resolve {job_id}" in watched.err
    assert wrong.status == 2 and "Executed" in wrong.err
    assert (done.status, done.out.split()[1]) == (0, "running")
    assert late.status == 5 and "STATE_CONFLICT" in late.err


async def test_events_once_and_followed_by_long_polls(world: World) -> None:
    job_id = await world.submit()
    await world.worker.move(job_id, pb.JOB_STATE_RUNNING)

    table = await run(world, "jobs", "events", job_id)
    following = await start("jobs", "events", job_id, "--follow", target=world.address)
    head = await read_until(following, "#2")
    await world.worker.finish(job_id)
    rest, _ = await following.communicate()
    typed = await run(world, "jobs", "events", job_id, "--start-revision", "2", "-o", "json")

    assert [line.split()[0] for line in table.out.splitlines()] == ["REV", "1", "2"]
    lines = (head + rest.decode()).splitlines()
    assert [line.split()[0] for line in lines] == ["#1", "#2", "#3"] and following.returncode == 0
    assert [json.loads(line)["revision"] for line in typed.out.splitlines()] == ["2", "3"]


async def test_delete_only_at_the_end(world: World) -> None:
    job_id = await world.submit()
    early = await run(world, "jobs", "delete", job_id)
    await world.worker.finish(job_id)
    done = await run(world, "jobs", "delete", job_id)
    gone = await run(world, "jobs", "get", job_id)

    assert early.status == 5
    assert early.err.splitlines()[1] == f"  End it first: headgate cancel {job_id}"
    assert (done.status, done.err.strip()) == (0, f"headgate: jobs/{job_id} is deleted")
    assert gone.status == 4 and "headgate jobs list" in gone.err


async def test_a_long_poll_that_is_interrupted_leaves_nothing_behind(world: World) -> None:
    job_id = await world.submit()
    following = await start("jobs", "events", job_id, "--follow", target=world.address)
    await read_until(following, "#1")

    assert await end(following, signal.SIGINT) == 130
    await until(lambda: _unwatched(world))


async def _unwatched(world: World) -> bool:
    from aiohttp import ClientSession

    async with ClientSession() as session, session.get(f"{world.ops}/metrics") as answer:
        return "headgate_open_watches 0.0" in await answer.text()


async def test_events_in_a_pipe_are_an_aligned_table(running: Running) -> None:
    done = await headgate("jobs", "events", "orders-2025", target=running.target)

    header, *rows = done.out.splitlines()
    assert header.split() == ["REV", "TIME", "EVENT", "JOB", "WHAT", "HAPPENED"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert ESCAPE not in done.out


async def test_a_list_is_a_table_or_one_document(running: Running) -> None:
    table, document = await asyncio.gather(
        headgate("jobs", "list", "--limit", "3", target=running.target),
        headgate("jobs", "list", "--limit", "3", "-o", "json", target=running.target),
    )

    assert [line.split()[0] for line in table.out.splitlines()] == ["JOB", "j0", "j1", "j2"]
    assert [job["name"] for job in json.loads(document.out)["jobs"]] == ["jobs/j0", "jobs/j1", "jobs/j2"]
