"""The demo: everything on free ports, the backfill of two business dates, shown live, and nothing left behind.

It is the session that headgate was made for: one create, one start that makes the second date wait for the
first one, and following both to their end, here as one call.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from headgate import pb
from headgate_cli.actions.dev import FAILED, START_ERRORS, clean_story
from headgate_cli.actions.jobs import show_events
from headgate_cli.actions.run_command import complain
from headgate_cli.actions.watching import follow
from headgate_cli.dev.deployment import Deployment, DeploymentOptions
from headgate_cli.process import signals
from headgate_cli.views.output import Printer
from headgate_client import Client, ClientOptions, HeadgateError, date_range

_LONGEST = 55.0
"""Seconds after which something is wrong; the demo promises to be done within a minute."""

DemoWork = Callable[[Client, Printer], Awaitable[int]]
"""What is shown once everything is ready; returns the exit status."""


def demo_spec() -> pb.BackfillSpec:
    """Return the backfill of the session: two business dates, one after the other."""
    return pb.BackfillSpec(
        project_id=257880,
        env_type=pb.ENV_TYPE_PROD,
        workflow_id=5188541262300189362,
        name="devinTestSparkSQL20run1",
        biz_dates=[date_range("2025-02-05", "2025-02-06")],
        default_run_properties=pb.DefaultRunProperties(
            mode=pb.BACKFILL_MODE_ALL_DOWNSTREAM,
            parallelism=1,
            root_task_ids=[1023697426],
            analysis=pb.Analysis(enabled=False, blocked=False),
        ),
    )


def demo(run_seconds: float) -> int:
    """Run the demo with dates of `run_seconds` each; return the exit status, 130 for Ctrl-C."""
    emulated = {
        "HEADGATE_EMULATOR_RUN_SECONDS": str(run_seconds),
        "HEADGATE_EMULATOR_CREATE_SECONDS": "1",
        "HEADGATE_POLL_MIN_SECONDS": "0.5",
    }
    return signals.run(run_deployed(emulated, _backfill, Printer(), longest=_LONGEST))


async def run_deployed(environment: Mapping[str, str], work: DemoWork, printer: Printer, *, longest: float) -> int:
    """Start everything with these variables, do the work, stop everything, and return the work's exit status.

    It is FAILED where a process ends first, or where the work is not done within `longest` seconds; that is said.
    """
    began = time.monotonic()
    try:
        async with Deployment(DeploymentOptions(environment=environment), _unheard) as deployment:
            at = deployment.endpoints
            printer.line(f"Redis, emulator, server and worker are ready after {time.monotonic() - began:.1f} s.")
            printer.line(f"gRPC {at.target}  emulator {at.emulator}  Redis {at.redis}")
            status = await _until_failure(deployment, _connected(at.target, work, printer), printer, longest)
    except START_ERRORS as error:
        printer.complain(clean_story(str(error)))
        return FAILED
    printer.line(f"Everything that was started is stopped; {time.monotonic() - began:.1f} s in all.")
    return status


def _unheard(name: str, line: str) -> None:
    """Leave a line of a process alone; a process that fails shows its last lines by itself."""


async def _until_failure(
    deployment: Deployment, work: Coroutine[Any, Any, int], printer: Printer, longest: float
) -> int:
    """Do the work unless a process ends first: then say so, instead of waiting for it."""
    failing = asyncio.ensure_future(deployment.failed())
    working = asyncio.ensure_future(work)
    try:
        async with asyncio.timeout(longest):
            await asyncio.wait((failing, working), return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        printer.complain(f"the demo was not done within {longest:.0f} s")
    finally:
        for task in (failing, working):
            if not task.done():
                task.cancel()
        await asyncio.wait((failing, working))
    if failing.done() and not failing.cancelled():
        printer.complain(clean_story(failing.result()))
    return FAILED if working.cancelled() else working.result()


async def _connected(target: str, work: DemoWork, printer: Printer) -> int:
    try:
        async with await Client.connect(target, options=ClientOptions()) as client:
            return await work(client, printer)
    except HeadgateError as error:
        return complain(printer, error)


async def _backfill(client: Client, printer: Printer) -> int:
    handle = await client.backfills.create(demo_spec(), job_id="demo")
    printer.line(f"{handle.name} is accepted: two business dates, one after the other.")
    printer.line()
    status = await follow(handle, printer, start_revision=1)
    printer.line()
    await show_events(handle, printer, title="The job's event log:")
    printer.line()
    return status
