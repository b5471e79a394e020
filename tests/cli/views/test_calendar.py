"""The calendar of a job's dates: a glyph for each, what runs and what failed by name, and where it is drawn."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pytest
from rich.console import Console

from headgate import pb
from headgate_cli.views import calendar
from headgate_cli.views.chart import Bar, Chart
from headgate_cli.views.gantt import lines
from headgate_cli.views.live_job import LiveJob
from headgate_client import SnapshotItem

StateOf = Callable[[int], pb.RunState.ValueType]
FIRST = date(2025, 1, 1)


def runs(count: int, state: StateOf = lambda _: pb.RUN_STATE_SUCCEEDED) -> list[pb.InstanceRun]:
    """So many dates from the first of January 2025, a Wednesday, each in the state of its number."""
    found = [pb.InstanceRun(index=index, state=state(index)) for index in range(count)]
    for row in found:
        day = FIRST + timedelta(days=row.index)
        row.biz_date.year, row.biz_date.month, row.biz_date.day = day.year, day.month, day.day
        if row.state == pb.RUN_STATE_FAILED:
            row.failure_digest.task_name = "load_orders"
    return found


def midway(index: int) -> pb.RunState.ValueType:
    """A year of which 200 dates have ended, the 73rd with a failure, and ten run."""
    if index == 72:
        return pb.RUN_STATE_FAILED
    if index < 210:
        return pb.RUN_STATE_SUCCEEDED if index < 200 else pb.RUN_STATE_RUNNING
    return pb.RUN_STATE_BLOCKED if index < 220 else pb.RUN_STATE_PLANNED


def drawn(found: Sequence[pb.InstanceRun], seconds: float = 50.0) -> list[str]:
    return [line.plain.rstrip() for line in calendar.lines(found, seconds)]


def test_a_year_is_seven_rows_of_fifty_three_weeks() -> None:
    text = drawn(runs(365, midway))

    assert text == [
        "     Jan Feb Mar  Apr May Jun  Jul Aug  Sep Oct Nov  Dec    4.0 dates a second",
        "Mon   " + "▇" * 28 + "▒▒░" + "·" * 21 + "  ▇ 199 succeeded",
        "Tue   " + "▇" * 28 + "▒▒░" + "·" * 21 + "  ▒  10 running",
        "Wed  " + "▇" * 29 + "▒░░" + "·" * 21 + "  ░  10 blocked",
        "Thu  " + "▇" * 29 + "▒░░" + "·" * 20 + "   · 145 waiting",
        "Fri  " + "▇" * 10 + "✘" + "▇" * 18 + "▒░░" + "·" * 20 + "   ✘   1 failed",
        "Sat  " + "▇" * 29 + "▒░" + "·" * 21,
        "Sun  " + "▇" * 28 + "▒▒░" + "·" * 21,
    ]


def test_how_many_stand_how_is_told_below_where_there_is_no_room_beside() -> None:
    text = [line.plain for line in calendar.block(runs(365, midway), 50, 60)]

    assert text[7].startswith("Sun  ▇▇") and max(map(len, text)) <= 60
    assert text[8:10] == [
        "4.0 dates a second  ▇ 199 succeeded  ▒  10 running",
        "░  10 blocked  · 145 waiting  ✘   1 failed",
    ]


def test_no_state_is_left_out_beside_a_calendar() -> None:
    every = [*calendar._ENDED, *calendar._GOING_ON, pb.RUN_STATE_PLANNED]
    text = drawn(runs(90, lambda index: every[index % len(every)]))

    assert all(any(line.endswith(word) for line in text) for word in calendar._LOOKS)


def test_what_runs_and_what_failed_is_named_as_flags_take_it() -> None:
    text = [line.plain for line in calendar.names(runs(365, midway), 80)]

    assert text == ["running  2025-07-20..2025-07-29", "failed   2025-03-14 load_orders"]


def test_names_are_never_cut_but_counted() -> None:
    every_tenth = runs(365, lambda index: pb.RUN_STATE_FAILED if index % 10 == 0 else pb.RUN_STATE_SUCCEEDED)

    for width in range(45, 200):
        (line,) = (found.plain for found in calendar.names(every_tenth, width))
        assert len(line) <= width
        assert line.count("load_orders") + int(line.rpartition(" and ")[2].split()[0]) == 37


@pytest.mark.parametrize(("seconds", "said"), [(9, "10.0 dates a second"), (900, "6.0 dates a minute")])
def test_the_pace_is_told_in_the_smallest_unit_that_has_a_date(seconds: float, said: str) -> None:
    count = 90
    assert drawn(runs(count), seconds)[0].endswith(said)
    assert drawn(runs(count), count * 7200.0)[0].endswith("0.5 dates an hour")
    assert "dates" not in drawn(runs(count, lambda _: pb.RUN_STATE_PLANNED), seconds)[0]


def test_dates_that_are_left_alone_do_not_quicken_the_pace() -> None:
    text = drawn(runs(90, lambda index: pb.RUN_STATE_SKIPPED if index < 80 else pb.RUN_STATE_SUCCEEDED), 10)

    assert text[0].split()[-4:] == ["1.0", "dates", "a", "second"] and text[1].endswith("10 succeeded")


def test_only_many_dates_whose_weeks_fit_are_a_calendar() -> None:
    assert calendar.block(runs(365), 1, 80) and calendar.block(runs(calendar.FEWEST_DATES), 1, 80)
    assert not calendar.block(runs(calendar.FEWEST_DATES - 1), 1, 80)
    assert not calendar.block(runs(365), 1, 57) and not calendar.block(runs(3650), 1, 100)
    assert not calendar.block([pb.InstanceRun(index=index) for index in range(365)], 1, 80)


def chart() -> Chart:
    job = pb.Job(name="jobs/year", state=pb.JOB_STATE_RUNNING, runs=runs(365, midway), backfill=pb.BackfillSpec())
    return Chart(job, ((Bar(job.runs[0], 0, None),),), begin=0, last=50)


@pytest.mark.parametrize("width", [80, 100])
def test_a_chart_of_a_year_has_the_calendar_above_its_lanes(width: int) -> None:
    text = [line.plain for line in lines(chart(), width, 50)]

    assert text[1].split()[:3] == ["Jan", "Feb", "Mar"] and text[10] == "failed   2025-03-14 load_orders"
    assert text[12].startswith("lane 1") and max(map(len, text)) <= width


def test_lanes_come_before_the_calendar_where_a_screen_is_low() -> None:
    whole = lines(chart(), 100, 50)

    assert lines(chart(), 100, 50, height=len(whole)) == whole
    low = [line.plain for line in lines(chart(), 100, 50, height=len(whole) - 1)]
    assert not any(line.startswith("Mon") for line in low) and any(line.startswith("lane 1") for line in low)


def screen(height: int, width: int) -> list[str]:
    job = chart().job
    job.create_time.seconds, job.update_time.seconds = 100, 150
    drawing = LiveJob()
    drawing.show(SnapshotItem(9, job), job)
    drawing.freeze()
    console = Console(width=width, height=height, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(drawing)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize("width", [80, 100])
def test_the_picture_of_a_year_is_a_calendar_and_the_telling_dates(width: int) -> None:
    text = screen(24, width)

    assert text[3].startswith("Mon") and len(text) <= 24 and max(map(len, text)) <= width
    assert any("2025-07-20" in line and "running" in line for line in text)
    assert "failed   2025-03-14 load_orders" in text
    assert any(line.startswith("and 35") and line.endswith("more runs") for line in text)
