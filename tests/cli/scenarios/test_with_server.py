"""The command line as a process, against a real server and a real Redis."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator

import pytest

from headgate import pb
from headgate.store import keys
from headgate_cli.dev.redis_server import RedisServer
from tests.cli.processes import ESCAPE, Done, end, headgate, read_until, start
from tests.server.instance_rows import RUNNING, SUCCESS, answering
from tests.server.jobs.test_plan import planner
from tests.server.jobs.test_resolve import in_doubt
from tests.server.jobs.test_retry import ended
from tests.server.world import DAY, World, serving, until

pytestmark = pytest.mark.slow


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with RedisServer() as redis, serving(redis.url, watch_poll_min=0.1, watch_poll_max=0.3) as found:
        yield found


async def run(world: World, *words: str) -> Done:
    return await headgate(*words, target=world.address)


def is_plain(done: Done) -> bool:
    return ESCAPE not in done.out + done.err and "│" not in done.out


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


FLAGS = (
    *("--project-id", "257880", "--name", "seed", "--biz-dates", "2025-02-05..2025-02-06"),
    *("--root-task-ids", "1023697426", "--mode", "AllDownstream", "--parallelism", "1"),
    *("--reprocess", "MissingOnly"),
)


async def test_a_plan_is_shown_kept_and_refused_when_the_world_has_changed(world: World) -> None:
    with planner(world) as worker:
        worker.exists[DAY] = 7
        told = await run(world, "backfill", *FLAGS, "--plan")
        typed = await run(world, "backfill", *FLAGS, "--plan", "-o", "json")
        token = json.loads(typed.out)["planToken"]
        worker.exists.clear()
        refused = await run(world, "backfill", *FLAGS, "--plan-token", token)
        worker.exists[DAY] = 8
        kept = await run(world, "backfill", *FLAGS, "--plan-token", token)

    lines = [line.split() for line in told.out.splitlines()]
    assert lines[1:3] == [["2025-02-05", "1", "skip", "exists", "7"], ["2025-02-06", "1", "create"]]
    assert is_plain(told)
    assert (refused.status, refused.out) == (5, "")
    assert "(PLAN_CHANGED)" in refused.err and "2025-02-05" in refused.err
    assert kept.status == 0 and kept.out.startswith("jobs/")


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
