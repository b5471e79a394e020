"""The demo of a year in one night: 365 dates, ten side by side, three that fail and a slow one, and the proof of it.

Three dates fail and let the others go on. They are run again when the year is over, as in the morning, and the report
says whether each date has succeeded exactly once. At a terminal the year is shown live; in a pipe only its end is.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from headgate import pb
from headgate.backfill import dates
from headgate_cli.actions.demo import run_deployed
from headgate_cli.actions.reports import ReportProgressBar, save
from headgate_cli.actions.watching import follow
from headgate_cli.process import signals
from headgate_cli.process.exit_codes import JOB_NOT_SUCCEEDED, OK
from headgate_cli.views.describe import job_line
from headgate_cli.views.output import Printer
from headgate_cli.views.report import text
from headgate_cli.views.report.page import page
from headgate_client import Client, JobHandle

FIRST: Final = date(2025, 1, 1)
LANES: Final = 10
SLOW_TIMES: Final = 6
"""How many times as long as the others the slow date runs."""

_TASK_ID: Final = 1023697426
_TASK_NAME: Final = "load_orders"


@dataclass(frozen=True, slots=True)
class DemoYear:
    """What the demo runs.

    Args:
        count: how many dates, at least 10.
        run_seconds: how long each of them runs.
    """

    count: int
    run_seconds: float

    @property
    def days(self) -> tuple[date, ...]:
        """All dates in their order."""
        return tuple(FIRST + timedelta(days=n) for n in range(self.count))

    @property
    def failing(self) -> tuple[date, date, date]:
        """The dates whose first run fails."""
        return self.days[self.count // 5], self.days[self.count // 3], self.days[self.count * 3 // 4]

    @property
    def slow(self) -> date:
        """The date that runs longer than others."""
        return self.days[self.count // 2]

    @property
    def longest_seconds(self) -> float:
        """After this something is wrong: three times what the dates need, and two minutes for all else."""
        return 120 + 3 * self.run_seconds * (self.count / LANES + SLOW_TIMES + 1)


def spec(year: DemoYear) -> pb.BackfillSpec:
    """Return the backfill: where a date fails, the others go on."""
    return pb.BackfillSpec(
        project_id=257880,
        env_type=pb.ENV_TYPE_PROD,
        workflow_id=1,
        name="orders",
        biz_dates=dates.to_ranges(year.days),
        default_run_properties=pb.DefaultRunProperties(
            mode=pb.BACKFILL_MODE_ALL_DOWNSTREAM, parallelism=LANES, root_task_ids=[_TASK_ID]
        ),
        on_failure=pb.ON_FAILURE_CONTINUE,
    )


def scenario(year: DemoYear) -> str:
    """Return how the emulator is to behave, as TOML."""
    return "\n".join(_scenario(year))


def _scenario(year: DemoYear) -> Iterator[str]:
    yield f"[rules]\ncreate_seconds = 0.5\nrun_seconds = {year.run_seconds}"
    yield f'[[tasks]]\nid = {_TASK_ID}\nname = "{_TASK_NAME}"'
    for day in year.failing:
        yield f'[[faults]]\nkind = "fail_run"\nbiz_date = {day}\ntask_name = "{_TASK_NAME}"'
    yield f'[[faults]]\nkind = "run_for"\nbiz_date = {year.slow}\nseconds = {SLOW_TIMES * year.run_seconds}'


def demo_year(count: int, run_seconds: float) -> int:
    """Run the demo with so many dates of so many seconds; return the exit status, 130 for Ctrl-C."""
    return signals.run(_demo_year(DemoYear(count, run_seconds), Printer()))


async def _demo_year(year: DemoYear, printer: Printer) -> int:
    async def work(client: Client, printer: Printer) -> int:
        return await _backfill(client, year, printer)

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(scenario(year))
        file.flush()
        settings = {
            "HEADGATE_EMULATOR_SCENARIO": file.name,
            "HEADGATE_POLL_MIN_SECONDS": "0.3",
        }
        return await run_deployed(settings, work, printer, longest=year.longest_seconds)


async def _backfill(client: Client, year: DemoYear, printer: Printer) -> int:
    handle = await client.backfills.create(spec(year), job_id="demo-year")
    said = f"{year.count} dates, {LANES} side by side; three of them fail, and {year.slow} is slow."
    printer.line(f"{handle.name} is accepted: {said}")
    printer.line()
    began = time.monotonic()
    await _watch(handle, printer)
    printer.line(f"The dates took {time.monotonic() - began:.1f} s.")
    printer.line()
    await _run_failed_again(handle, printer)
    printer.line()
    return await _report(handle, printer)


async def _watch(handle: JobHandle, printer: Printer) -> None:
    """Show the year live, or its end in a pipe, where a line per event would be a thousand and more."""
    if printer.is_live:
        await follow(handle, printer)
    else:
        await _show_end(handle, printer)


async def _show_end(handle: JobHandle, printer: Printer) -> None:
    printer.line(job_line(await handle.result(raise_on_failure=False)))


async def _run_failed_again(handle: JobHandle, printer: Printer) -> None:
    printer.line(f"What failed is run again, as by: headgate jobs retry {handle.id} --failed")
    await handle.retry()
    await _show_end(handle, printer)


async def _report(handle: JobHandle, printer: Printer) -> int:
    """Ask upstream about every date now, say what the report states, and leave it as a page."""
    printer.line(f"The proof, as by: headgate report {handle.id} --verify")
    with ReportProgressBar(printer) as bar:
        report = await handle.report(verify=True, on_progress=bar.show)
    for line in text.conclusion(report):
        printer.line(line)
    file = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="headgate-demo-")) / "report.html"
    await asyncio.to_thread(save, file, page(report))
    printer.line(f"The report with its calendar and lanes is in {file}")
    return OK if report.statement.holds else JOB_NOT_SUCCEEDED
