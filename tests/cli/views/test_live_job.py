"""The picture of a year in all states, live and still: golden files at three widths.

`python -m tests.cli.views.test_live_job` draws them anew.
"""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from headgate import pb
from headgate.backfill import dates
from headgate.job.event_log import count_runs, fold
from headgate_cli.actions.jobs import show
from headgate_cli.views.live_job import LiveJob
from headgate_cli.views.output import Printer
from headgate_client import EventItem, SnapshotItem
from tests.cli.views.test_timeline import FIRST, log
from tests.cli.views.test_timeline import run as dated

GOLDEN = Path(__file__).with_name("golden")
WIDTHS: Final = (60, 80, 120)
BEGIN: Final = 1_739_000_000
"""When the job was created, in seconds since 1970."""

_ENDED: Final = {
    40: pb.RUN_STATE_FAILED,
    41: pb.RUN_STATE_FAILED,
    90: pb.RUN_STATE_STOPPED,
    120: pb.RUN_STATE_UNRESOLVED,
    150: pb.RUN_STATE_SKIPPED,
    151: pb.RUN_STATE_SKIPPED,
}
_LATER: Final = (
    (200, pb.RUN_STATE_SUCCEEDED),
    (208, pb.RUN_STATE_RUNNING),
    (210, pb.RUN_STATE_STARTING),
    (218, pb.RUN_STATE_BLOCKED),
    (220, pb.RUN_STATE_CREATED),
    (222, pb.RUN_STATE_CREATING),
    (365, pb.RUN_STATE_PLANNED),
)


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def run(index: int) -> pb.InstanceRun:
    state = _ENDED.get(index) or next(state for last, state in _LATER if index < last)
    row = pb.InstanceRun(index=index, state=state, attempt=1)
    row.biz_date.CopyFrom(dates.to_message(date(2025, 1, 1) + timedelta(days=index)))
    if state not in (pb.RUN_STATE_PLANNED, pb.RUN_STATE_CREATING):
        row.workflow_instance_id = 1_000_341_554_000 + index
    if state in (pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED):
        row.started_time.seconds = BEGIN + 60 * (index // 10)
        row.finished_time.seconds = row.started_time.seconds + 55
    if state == pb.RUN_STATE_FAILED:
        row.failure_digest.task_name = "load_orders"
    if state == pb.RUN_STATE_BLOCKED:
        row.blocked_by_id = row.workflow_instance_id - 10
    return row


def year() -> pb.Job:
    """A backfill of 365 dates midway, with dates in every state."""
    job = pb.Job(name="jobs/orders-2025", state=pb.JOB_STATE_RUNNING, revision=612, etag="612")
    job.backfill.name = "orders"
    job.backfill.default_run_properties.parallelism = 10
    job.runs.extend(run(index) for index in range(365))
    job.counts.CopyFrom(count_runs(job.runs))
    job.create_time.seconds, job.update_time.seconds = BEGIN, BEGIN + 1_260
    return job


def causes() -> list[pb.Cause]:
    waits = [
        pb.Cause(kind=pb.CAUSE_KIND_PARENT_INSTANCE, description=f"2025-07-{day} waits for its parent, which runs")
        for day in range(30, 32)
    ]
    said = "143 dates from 2025-08-11 on are not created yet: 20 instances stand created and have not ended"
    found = [
        pb.Cause(kind=pb.CAUSE_KIND_QUOTA, description="the quota of this connection is used up: 5 calls a second"),
        pb.Cause(kind=pb.CAUSE_KIND_RUNNING, description="10 runs go on"),
        *waits,
        pb.Cause(kind=pb.CAUSE_KIND_NOT_CREATED, description=said, runs=143),
    ]
    found[0].expected_clear_time.seconds = BEGIN + 1_275
    return found


def console(width: int) -> Console:
    return Console(width=width, height=30, force_terminal=True, color_system=None, legacy_windows=False)


def live(width: int) -> str:
    drawing = LiveJob()
    drawing.show(SnapshotItem(612, year()), year())
    drawing.explain(causes())
    drawing.freeze()
    paper = console(width)
    with paper.capture() as captured:
        paper.print(drawing)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def still(width: int) -> str:
    paper = console(width)
    with paper.capture() as captured:
        show(year(), Printer(console=paper), causes())
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


FORMS: Final = {"live": live, "still": still}


def file_of(form: str, width: int) -> Path:
    return GOLDEN / f"year-{form}-{width}.txt"


@pytest.mark.parametrize("width", WIDTHS)
def test_a_year_in_all_states_is_drawn_as_it_was(width: int) -> None:
    text = live(width)

    assert text == file_of("live", width).read_text()
    assert max(map(len, text.splitlines())) <= width and len(text.splitlines()) <= 30


@pytest.mark.parametrize("width", WIDTHS)
def test_a_job_as_it_stands_is_the_same_picture(width: int) -> None:
    text = still(width)

    assert text == file_of("still", width).read_text()
    moving = live(width).splitlines()
    first = next(index for index, line in enumerate(moving) if "Jan" in line)
    assert "\n".join(moving[first : first + 8]) in text


def test_only_many_dates_that_go_on_are_explained() -> None:
    drawing, job = LiveJob(), year()
    assert not drawing.stands
    drawing.show(SnapshotItem(612, job), job)
    assert drawing.stands
    job.state = pb.JOB_STATE_SUCCEEDED
    drawing.show(SnapshotItem(613, job), job)
    assert not drawing.stands


def test_a_pipe_has_every_date_and_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    show(year(), Printer(console=Console(width=80, force_terminal=False)), causes())

    out = capsys.readouterr().out
    assert out.count("succeeded") > 190 and "2025-12-31" in out and "Mon " not in out and "stands" not in out


def _draw_anew() -> None:
    for form, draw in FORMS.items():
        for width in WIDTHS:
            file_of(form, width).write_text(draw(width))


def picture(revision: int, width: int) -> list[str]:
    drawing, job = LiveJob(), None
    for item in log()[:revision]:
        job = fold(job, item) if item.revision < 7 else job
        drawing.show(EventItem(item.revision, item), job)
    drawing.freeze()
    console = Console(width=width, height=20, force_terminal=True, color_system=None, record=True)
    with console.capture() as captured:
        console.print(drawing)
    return [line.rstrip() for line in captured.get().splitlines()]


def test_the_picture_at_a_terminal() -> None:
    lines = picture(4, 100)

    assert lines[:5] == [
        "jobs/orders  running  backfill orders, 2 runs  0/2 succeeded  6.0 s",
        "",
        "biz date    instance       state          0          6 s       ran",
        "2025-02-05  1000341554601  ▶ running      ·········▒▒▒▒▒     2.0 s",
        "2025-02-06  1000341554605  ◌ blocked      ·········░░░░░            waits for parent 1000341554601",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_dates_and_ids_stay_whole_on_any_terminal(width: int) -> None:
    lines = picture(4, width)

    assert max(map(len, lines)) <= width
    assert any("2025-02-05" in line for line in lines)
    assert width < 80 or any("1000341554605" in line for line in lines)


def test_of_many_runs_the_telling_ones_are_shown() -> None:
    rows = [dated(index % 20, pb.RUN_STATE_SUCCEEDED, FIRST + index) for index in range(50)]
    for index, row in enumerate(rows):
        row.index = index
    rows[30].state, rows[40].state = pb.RUN_STATE_RUNNING, pb.RUN_STATE_FAILED
    drawing = LiveJob()
    job = pb.Job(name="jobs/many", runs=rows, revision=9)
    drawing.show(SnapshotItem(9, job), job)
    drawing.freeze()

    console = Console(width=100, height=14, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(drawing)

    assert str(FIRST + 30) in captured.get() and str(FIRST + 40) in captured.get()
    assert "and 43 more runs" in captured.get()


if __name__ == "__main__":
    import os

    os.environ["TZ"] = "Asia/Shanghai"
    time.tzset()
    _draw_anew()
