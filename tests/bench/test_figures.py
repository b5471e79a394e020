"""Medians, ratios, goals and the table, without measuring anything."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from bench.figures import Figure, Result, at_least, at_most, quantile, ratio
from bench.plot import LEFT, WIDTH, place, svg
from bench.report import document, number, table


def test_a_ratio_is_taken_pair_by_pair() -> None:
    figure = ratio("rates", [100, 50, 90], [200, 100, 90])

    assert figure.samples == (0.5, 0.5, 1.0)
    assert figure.median == 0.5


def test_runs_without_a_partner_are_no_ratio() -> None:
    with pytest.raises(ValueError):
        ratio("rates", [1, 2], [1])


def test_a_comparator_that_did_nothing_is_no_ratio() -> None:
    with pytest.raises(ValueError, match="measured nothing"):
        ratio("rates", [1], [0])


def test_a_figure_of_no_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        Figure("rates", "x", ())


@pytest.mark.parametrize(
    ("goal", "value", "holds", "margin"),
    [
        (at_least(0.6), 0.6, True, 1.0),
        (at_least(0.6), 0.3, False, 0.5),
        (at_most(5.0), 5.0, True, 1.0),
        (at_most(5.0), 10.0, False, 0.5),
        (at_most(5.0), 0.5, True, 10.0),
    ],
)
def test_a_goal_knows_its_good_side(goal: object, value: float, holds: bool, margin: float) -> None:
    figure = Figure("figure", "x", (value,), goal)  # type: ignore[arg-type]

    assert figure.holds is holds
    assert figure.goal is not None and figure.goal.margin(value) == pytest.approx(margin)


def test_a_row_holds_when_all_its_goals_do() -> None:
    good, bad = Figure("a", "x", (1.0,), at_least(0.5)), Figure("b", "x", (1.0,), at_least(2))

    assert Result("P1", "row", (good,)).holds is True
    assert Result("P1", "row", (good, bad)).holds is False
    assert Result("P1", "row", (Figure("c", "x", (1.0,)),)).holds is None


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_quantiles_are_by_rank(share: float, value: float) -> None:
    assert quantile(list(range(1, 101)), share) == value


def test_no_quantile_of_nothing() -> None:
    with pytest.raises(ValueError):
        quantile([], 0.5)


@pytest.mark.parametrize(
    ("value", "text"), [(0.6123, "0.612"), (12.345, "12.3"), (123.4, "123"), (12345.6, "12,346"), (0.0, "0")]
)
def test_numbers_have_three_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


RESULTS = (
    Result("P1", "submits", (Figure("a < b", "x", (0.5, 0.7, 0.6), at_least(0.6, 0.75)), Figure("rate", "/s", (9,)))),
    Result("P2", "times", (Figure("p50", "ms", (9.0,), at_most(5)),)),
    Result("P15", "two processes", unmeasured="needs 4 cores"),
)


def test_the_table_has_a_line_for_every_figure_and_every_gap() -> None:
    lines = table(RESULTS).splitlines()[2:]

    assert lines[0] == "| P1 | a < b | 0.6 x | 0.5 to 0.7 | >= 0.6 (stretch 0.75) | yes |"
    assert lines[1] == "| P1 | rate | 9 /s | one run |  |  |"
    assert lines[2] == "| P2 | p50 | 9 ms | one run | <= 5 | **no** |"
    assert "not measured: needs 4 cores" in lines[3]
    assert len(lines) == 4


def test_the_document_is_json_and_has_the_verdicts() -> None:
    read = json.loads(json.dumps(document({"machine": "m"}, RESULTS)))

    assert read["machine"] == "m"
    assert [row["holds"] for row in read["rows"]] == [True, False, None]
    assert read["rows"][0]["figures"][0]["median"] == 0.6


def test_the_drawing_has_a_bar_for_every_goal() -> None:
    root = ET.fromstring(svg(RESULTS))
    bars = root.findall("{http://www.w3.org/2000/svg}rect")[1:]

    assert [bar.get("fill") for bar in bars] == ["#2f7d4f", "#c0392b"]


def test_a_margin_beyond_the_scale_ends_at_its_edge() -> None:
    assert place(1000.0) == place(10.0) == WIDTH - 60
    assert place(0.0001) == place(0.1) == LEFT
