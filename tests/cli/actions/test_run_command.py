"""A command against a server: what went wrong, in a line or two, and its exit status."""

import asyncio
import socket

import pytest

from tests.cli.processes import headgate
from tests.client.scripted import Running

pytestmark = pytest.mark.slow


async def test_a_field_error_names_the_flag_and_what_to_do(running: Running) -> None:
    done = await headgate("backfill", "--project-id", "1", target=running.target)

    assert done.status == 2 and done.out == ""
    assert done.err.splitlines() == [
        "headgate: it is field_invalid (FIELD_INVALID)",
        "  --name: spec.name: must not be empty",
        "  Mend that and run the command again; nothing was submitted.",
    ]


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
