"""The two drawings of a report's page: the calendar of its dates, and who ran when in lanes."""

import re

import pytest
from google.type.date_pb2 import Date

from headgate import pb
from headgate_cli.views.report.drawings import MOST_LANES, calendar, lanes, looks, standing
from tests.cli.views.report.samples import mixed
from tests.server.reports.logs import Log, at


def dated(*days: tuple[int, int], has_objection: bool = False) -> pb.JobReport:
    dates = [
        pb.DateReport(
            biz_date=Date(year=2025, month=month, day=day), state=pb.RUN_STATE_SUCCEEDED, has_objection=has_objection
        )
        for month, day in days
    ]
    return pb.JobReport(dates=dates)


def cells(drawing: str) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in re.findall(r'<rect class="[a-z ]*" x="(\d+)" y="(\d+)"', drawing)]


def test_a_report_without_dates_has_no_drawing() -> None:
    assert calendar(pb.JobReport()) == lanes(pb.JobReport()) == ""


def test_a_week_is_a_column_that_begins_on_monday() -> None:
    monday, sunday, next_monday = cells(calendar(dated((2, 3), (2, 9), (2, 10))))

    assert monday[0] == sunday[0] < next_monday[0]
    assert monday[1] == next_monday[1] < sunday[1]


def test_the_first_month_and_every_january_have_their_year() -> None:
    drawing = calendar(dated((1, 1), (12, 31)))

    names = re.findall(r">([A-Z][a-z]{2}(?: \d{4})?)<", drawing)
    assert [name for name in names if " " in name] == ["Jan 2025"]
    assert "Dec" in names


@pytest.mark.parametrize(
    ("state", "left_alone", "look", "word"),
    [
        (pb.RUN_STATE_SUCCEEDED, False, "good", "succeeded"),
        (pb.RUN_STATE_FAILED, False, "bad", "failed"),
        (pb.RUN_STATE_UNRESOLVED, False, "bad", "unresolved"),
        (pb.RUN_STATE_STOPPED, False, "odd", "stopped"),
        (pb.RUN_STATE_SKIPPED, True, "left", "left alone"),
        (pb.RUN_STATE_PLANNED, False, "none", "planned"),
    ],
)
def test_a_date_looks_as_it_stands(state: pb.RunState.ValueType, left_alone: bool, look: str, word: str) -> None:
    one = pb.DateReport(state=state, left_alone=left_alone)

    assert (looks(one), standing(one)) == (look, word)


def test_a_success_with_an_objection_is_marked() -> None:
    plain, marked = calendar(dated((2, 3))), calendar(dated((2, 3), has_objection=True))

    assert 'class="good"' in plain and 'class="sign"' not in plain
    assert 'class="good marked"' in marked and ">!<" in marked and "see what is not so" in marked


def ran(*spans: tuple[int, int]) -> pb.JobReport:
    """A report whose n-th instance ran from one second to another."""
    of = Log(len(spans))
    for index, (begin, end) in enumerate(spans):
        of.run(index, pb.RUN_STATE_SUCCEEDED, 11 + index, started_time=at(begin), finished_time=at(end))
    return of.report()


def test_instances_share_a_lane_where_one_begins_after_the_other_has_ended() -> None:
    rows = re.findall(
        r'<rect class="good" x="([\d.]+)" y="(\d+)" width="([\d.]+)"', lanes(ran((0, 10), (5, 15), (10, 20)))
    )
    first, second, third = rows

    assert first[1] == third[1] != second[1]
    assert float(first[0]) < float(second[0]) < float(third[0])


def test_a_short_instance_can_be_seen_and_a_long_one_has_its_date() -> None:
    drawing = lanes(ran((0, 10_000), (10_000, 10_001)))

    assert 'width="1.5"' in drawing and drawing.count('class="sign"') == 1


def test_instances_without_room_are_counted() -> None:
    drawing = lanes(ran(*[(0, 10)] * (MOST_LANES + 3)))

    assert f"When {MOST_LANES} instances ran; 3 more have no room here" in drawing
    assert drawing.count('class="good"') == MOST_LANES


def test_an_instance_whose_times_make_no_sense_is_not_drawn() -> None:
    assert lanes(ran((10, 5))) == "" and lanes(mixed()) != ""
