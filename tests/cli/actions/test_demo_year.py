"""The demo of a year, with fewer dates: real Redis, emulator, server and worker; and what is made of a year."""

import re
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest

from headgate.backfill import dates
from headgate_cli.actions.demo_year import LANES, DemoYear, scenario, spec
from tests.cli.processes import ESCAPE, children, is_alive, read_until, start

pytestmark = pytest.mark.slow


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
async def test_failed_dates_are_run_again_and_the_report_proves_each_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    process = await start("demo", "--year", "--dates", "14", "--run-seconds", "1")
    out = await read_until(process, "jobs/demo-year is accepted")
    started = children(process.pid)
    rest, err = await process.communicate()
    out += rest.decode()

    assert (process.returncode, err.decode()) == (0, "")
    assert len(started) == 4  # Redis, emulator, server, worker
    assert not any(is_alive(pid) for pid in started)
    assert ESCAPE not in out and len(out.splitlines()) < 20, "a pipe gets no line per event"
    said = (
        "14 dates, 10 side by side; three of them fail, and 2025-01-08 is slow",
        "jobs/demo-year failed",
        "jobs/demo-year succeeded",
        "14 dates: 14 succeeded once; 17 instances",
        "✔ each of 14 dates succeeded exactly once; upstream was asked about every date",
    )
    places = [out.find(line) for line in said]
    assert -1 not in places and places == sorted(places), out
    assert "each of 14 dates succeeded exactly once" in page_at(out, tmp_path)


def page_at(out: str, folder: Path) -> str:
    """The report that the output names, which has to stand below the folder."""
    file = re.search(r"is in (\S+\.html)", out)
    assert file is not None and Path(file[1]).is_relative_to(folder)
    return Path(file[1]).read_text()


def test_a_year_has_365_dates_of_which_three_fail_and_one_is_slow() -> None:
    year = DemoYear(365, 2.5)

    made = tomllib.loads(scenario(year))

    assert list(dates.walk(spec(year).biz_dates)) == list(year.days) and year.days[-1] == date(2025, 12, 31)
    assert spec(year).default_run_properties.parallelism == LANES
    kinds = [(fault["kind"], fault["biz_date"]) for fault in made["faults"]]
    assert kinds == [*(("fail_run", day) for day in year.failing), ("run_for", year.slow)]
    assert made["rules"]["run_seconds"] == 2.5


@pytest.mark.parametrize("count", [10, 11, 14, 100, 366])
def test_dates_that_fail_and_the_slow_one_are_four(count: int) -> None:
    year = DemoYear(count, 1)

    assert len({*year.failing, year.slow}) == 4
