"""Complete job ids in a shell: those of one page of the newest jobs, within a second, and silently none otherwise."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from headgate import pb
from headgate_cli.actions.run_command import client_options
from headgate_cli.input.parameters import ServerFlags
from headgate_client import Client, HeadgateError, RetryPolicy

_PATIENCE_SECONDS = 1.0
_PAGE = 100


def job_ids(incomplete: str, given: Mapping[str, Any]) -> list[str]:
    """Return the ids of jobs that begin so; `given` are the flags that were typed before."""
    flags = {field.name for field in dataclasses.fields(ServerFlags)} - {"output"}
    server = ServerFlags(**{name: value for name, value in given.items() if name in flags and value})
    try:
        return asyncio.run(asyncio.wait_for(_job_ids(incomplete, server), _PATIENCE_SECONDS))
    except (HeadgateError, OSError, ValueError, TimeoutError):
        return []  # a shell shows whatever is written in the middle of the line that is typed


async def _job_ids(incomplete: str, server: ServerFlags) -> list[str]:
    once = dataclasses.replace(client_options(server), retry=RetryPolicy(max_attempts=1), timeout=_PATIENCE_SECONDS)
    prefix = "jobs/" if incomplete.startswith("jobs/") else ""
    async with Client(server.target or None, options=once) as client:
        page = await client.jobs.list_page(pb.ListJobsRequest(page_size=_PAGE))
    names = [prefix + job.name.removeprefix("jobs/") for job in page.jobs]
    return [name for name in names if name.startswith(incomplete)]
