"""The command line as a process, against a scripted server."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator

import pytest

from headgate import pb
from tests.cli.processes import ESCAPE, end, headgate, read_until, start
from tests.client.scripted import Fault, Plan, Running, make_log, serve

pytestmark = pytest.mark.slow

BACKFILL = (
    *("backfill", "--project-id", "257880", "--name", "orders", "--biz-dates", "2025-02-05..2025-02-06"),
    *("--root-task-ids", "1023697426", "--mode", "AllDownstream", "--parallelism", "1", "--env-type", "Prod"),
)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with serve() as server:
        yield server


async def test_a_backfill_becomes_the_request_that_its_flags_say(running: Running) -> None:
    done = await headgate(*BACKFILL, "--job-id", "orders-2025", "--label", "team=orders", target=running.target)

    request = running.script.calls[0][1]
    assert isinstance(request, pb.CreateBackfillRequest)
    assert done.status == 0
    assert done.out.startswith("jobs/orders-2025 ")
    assert "headgate watch orders-2025" in done.err
    assert request.job_id == "orders-2025" and request.request_id and request.options.labels["team"] == "orders"
    spec = request.spec
    assert (spec.project_id, spec.name, spec.env_type) == (257880, "orders", pb.ENV_TYPE_PROD)
    assert [(r.start_biz_date.day, r.end_biz_date.day) for r in spec.biz_dates] == [(5, 6)]
    properties = spec.default_run_properties
    assert properties.mode == pb.BACKFILL_MODE_ALL_DOWNSTREAM
    assert [*properties.root_task_ids] == [1023697426] and properties.parallelism == 1


async def test_a_spec_comes_from_stdin_and_flags_override_it(running: Running) -> None:
    text = json.dumps({"projectId": "1", "name": "old", "comment": "kept", "bizDates": []})

    done = await headgate("backfill", "--spec", "-", "--name", "new", "-o", "json", target=running.target, stdin=text)

    request = running.script.calls[0][1]
    assert isinstance(request, pb.CreateBackfillRequest)
    assert (request.spec.name, request.spec.comment) == ("new", "kept")
    assert json.loads(done.out)["name"] == "jobs/0"


async def test_a_field_error_names_the_flag_and_what_to_do(running: Running) -> None:
    done = await headgate("backfill", "--project-id", "1", target=running.target)

    assert done.status == 2 and done.out == ""
    assert done.err.splitlines() == [
        "headgate: it is field_invalid (FIELD_INVALID)",
        "  --name: spec.name: must not be empty",
        "  Mend that and run the command again; nothing was submitted.",
    ]


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


async def test_sigterm_ends_a_watch_too(running: Running) -> None:
    running.script.play([Plan(sent=1, fault=Fault.HANG)])
    process = await start("watch", "orders-2025", target=running.target)
    await read_until(process, "#1")

    assert await end(process, signal.SIGTERM) == 143


async def test_failures_have_their_status_and_say_what_to_do(running: Running) -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
        wrong_date, wrong_flag, unbuilt, unknown, no_server = await asyncio.gather(
            headgate("backfill", "--biz-dates", "2025-02-30", target=running.target),
            headgate("jobs", "get", "x", "--no-such-flag", target=running.target),
            headgate("jobs", "count", target=running.target),
            headgate("jobs", "get", "nobody", target=running.target),
            headgate("jobs", "get", "x", target=nobody),
        )

    assert wrong_date.status == 2 and wrong_date.err.startswith(
        "headgate: --biz-dates: '2025-02-30' is no date; write 2025-02-05"
    )
    assert wrong_flag.status == 2 and "--no-such-flag" in wrong_flag.err
    assert unbuilt.status == 5
    assert unknown.status == 4
    assert unknown.err.splitlines()[0] == "headgate: it is job_unknown (JOB_UNKNOWN)"
    assert no_server.status == 3 and "headgate dev starts one" in no_server.err
    assert "Traceback" not in unbuilt.err + unknown.err + no_server.err
    assert [call for call, _ in running.script.calls] == ["GetJob"]
