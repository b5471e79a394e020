"""What the pictures of the documents show: the demos, and a year's backfill while it runs and when it has ended.

Redis, emulator, server and worker are real ones, on free ports; times are as they were.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.text import Text

from docs.pictures import svg, terminal
from headgate_cli.dev.deployment import Deployment, DeploymentOptions
from headgate_client import Client, JobHandle

YEAR: Final = "2025-01-01..2025-12-31"

_SCENARIO: Final = """
[rules]
create_seconds = 0.5
run_seconds = 1
auto_start = "any_end"

[[tasks]]
id = 1023697426
name = "load_orders"

[[faults]]
kind = "fail_run"
biz_date = 2025-03-14
task_name = "load_orders"

[[faults]]
kind = "fail_run"
biz_date = 2025-06-02
task_name = "load_orders"

[[faults]]
kind = "run_for"
biz_date = 2025-04-20
seconds = 6
"""
"""Dates of a second each, of which two fail and one is slow; a failed one lets the next one of its chain begin."""

_BACKFILL: Final = (
    *("backfill", "--project-id", "257880", "--name", "orders", "--root-task-ids", "1023697426"),
    *("--mode", "AllDownstream", "--parallelism", "10", "--env-type", "Prod", "--on-failure", "Continue"),
    *("--job-id", "orders-2025", "--wait"),
)


async def record(folder: Path) -> None:
    """Record every picture into the folder."""
    await demo(folder)
    await year(folder)
    await demo_year(folder)


async def demo(folder: Path, *flags: str) -> None:
    """Record the demo."""
    await _keep(folder / "demo.svg", ("demo", *flags), {})


async def demo_year(folder: Path, *flags: str) -> None:
    """Record the demo of a year, at a terminal with few rows: most of its picture is the calendar then."""
    await _keep(folder / "demo-year.svg", ("demo", "--year", *flags), {}, rows=26)


async def year(folder: Path, biz_dates: str = YEAR) -> None:
    """Record the backfill of a year: as it stood midway, and as it ended."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as scenario:
        scenario.write(_SCENARIO)
        scenario.flush()
        settings = {"HEADGATE_EMULATOR_SCENARIO": scenario.name, "HEADGATE_POLL_MIN_SECONDS": "0.3"}
        async with Deployment(DeploymentOptions(environment=settings), _unheard) as deployment:
            reached = {"HEADGATE_TARGET": deployment.endpoints.target}
            await _screen((*_BACKFILL, "--biz-dates", biz_dates), reached)
            watch = ("watch", "orders-2025", "--gantt")
            revision = await _midway(deployment.endpoints.target)
            await _keep(folder / "year.svg", (*watch, "--at", str(revision)), reached)
            await _keep(folder / "year-end.svg", watch, reached)


def _unheard(name: str, line: str) -> None:
    """Leave a line of a process alone."""


async def _midway(target: str) -> int:
    """A revision a little after the middle of the job's log."""
    async with Client(target) as client:
        handle: JobHandle = client.jobs.handle("orders-2025")
        job = await handle.refresh()
    return job.revision * 11 // 20


async def _keep(path: Path, words: Sequence[str], environment: Mapping[str, str], rows: int = terminal.ROWS) -> None:
    """Run a command and keep its screen as a picture."""
    _draw(path, f"headgate {' '.join(words)}", await _screen(words, environment, rows))


def _draw(path: Path, typed: str, screen: Sequence[Text]) -> None:
    lines = [Text.assemble(("$ ", "dim"), (typed, "bold")), *screen]
    while not lines[-1].plain.strip():
        lines.pop()
    path.write_text(svg.picture(lines, terminal.COLUMNS, f"A terminal after: {typed}"))


async def _screen(words: Sequence[str], environment: Mapping[str, str], rows: int = terminal.ROWS) -> Sequence[Text]:
    command = (sys.executable, "-m", "headgate_cli", *words)
    return await asyncio.to_thread(terminal.screen, command, environment, rows)
