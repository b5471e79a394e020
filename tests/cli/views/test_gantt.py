"""The chart of a job, from a recorded log: golden files, and how well its end is foretold.

`python -m tests.cli.views.test_gantt` draws the golden files anew.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse
from google.rpc import error_details_pb2

from headgate import pb
from headgate_cli.views.chart import Bar, Chart, Mark, packed, read
from headgate_cli.views.gantt import MOST_LANES, lines

GOLDEN = Path(__file__).with_name("golden")
DRAWN = [(12, 100), (16, 60), (24, 100), (24, 40), (30, 80), (0, 60), (0, 100), (0, 160)]
"""Revisions, 0 for the last, and widths."""


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def recorded() -> list[pb.JobEvent]:
    """A backfill of seven dates, two at a time, one of which fails, as a worker ran it."""
    assert error_details_pb2.ErrorInfo.DESCRIPTOR  # errors in the log carry it
    return [Parse(line, pb.JobEvent()) for line in (GOLDEN / "orders.jsonl").read_text().splitlines()]


def drawn(revision: int, width: int) -> str:
    events = recorded()
    chart = read(events[: revision or len(events)])
    return "".join(f"{line.plain.rstrip()}\n" for line in lines(chart, width, chart.last))


def file_of(revision: int, width: int) -> Path:
    return GOLDEN / f"gantt-{revision or 'end'}-{width}.txt"


@pytest.mark.parametrize(("revision", "width"), DRAWN)
def test_a_recorded_log_is_drawn_as_it_was(revision: int, width: int) -> None:
    text = drawn(revision, width)

    assert text == file_of(revision, width).read_text()
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [1, 39, 41, 500])
def test_every_beginning_of_a_log_can_be_drawn_at_any_width(width: int) -> None:
    events = recorded()
    for revision in range(1, len(events) + 1):
        chart = read(events[:revision])
        assert lines(chart, width, chart.last + 3)


def test_waits_retries_and_warnings_are_marked_where_they_happened() -> None:
    marks = (Mark(0, "q"), Mark(0.1, "!"), Mark(50, "r"), Mark(100, "q"))
    chart = Chart(pb.Job(state=pb.JOB_STATE_RUNNING), marks=marks, begin=0, last=100)

    text = [line.plain for line in lines(chart, 49, 100)]

    assert text[2] == "marks    !" + " " * 19 + "r" + " " * 18 + "q"
    assert text[-1] == "q waited for quota; r tried again; ! see the log"
    assert [line.plain for line in lines(chart, 40, 100)][-1] == "! see the log"


def bar(index: int, start: float, end: float | None, ending: int = pb.RUN_STATE_SUCCEEDED) -> Bar:
    return Bar(pb.InstanceRun(index=index), start, end, ending if end is not None else 0)


def test_a_failure_is_seen_even_where_its_bar_has_no_cell_of_its_own() -> None:
    bars = [bar(n, n, n + 1, pb.RUN_STATE_FAILED if n == 500 else pb.RUN_STATE_SUCCEEDED) for n in range(1000)]
    chart = Chart(pb.Job(state=pb.JOB_STATE_FAILED), packed(bars), begin=0, last=1000)

    lane = next(line.plain for line in lines(chart, 60, 1000) if line.plain.startswith("lane 1"))

    assert lane.count("✘") == 1


def test_more_lanes_than_a_screen_has_are_counted() -> None:
    chart = Chart(pb.Job(), packed(bar(n, 0, None) for n in range(MOST_LANES + 5)), begin=0, last=9)

    text = [line.plain for line in lines(chart, 60, 9)]

    assert "and 5 more lanes" in text and sum(line.startswith("lane") for line in text) == MOST_LANES


if __name__ == "__main__":
    import os

    os.environ["TZ"] = "Asia/Shanghai"
    time.tzset()
    for revision, width in DRAWN:
        file_of(revision, width).write_text(drawn(revision, width))
