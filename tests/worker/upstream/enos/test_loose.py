"""Members of a JSON object that need not be what its page says: read where that is possible, left out where not."""

from __future__ import annotations

from typing import Any

import pytest

from headgate_worker.upstream.enos import loose
from headgate_worker.upstream.enos.loose import TEXT_LENGTH

NONE: list[Any] = [None, [], {}, True]


@pytest.mark.parametrize(
    ("value", "found"),
    [("a", "a"), (7, "7"), (0.5, "0.5"), ("a\ud800b", "a?b"), ("x" * 100_000, "x" * TEXT_LENGTH)]
    + [(value, "") for value in NONE],
)
def test_a_text_may_be_a_number(value: Any, found: str) -> None:
    assert loose.text({"n": value}, "n") == found and loose.text({}, "n") == ""


@pytest.mark.parametrize(
    ("value", "found"), [([{"a": "中"}], '[{"a":"中"}]'), ({}, "{}"), ("[]", "[]"), (7, "7"), (None, ""), (False, "")]
)
def test_a_list_or_object_is_shown_as_json(value: Any, found: str) -> None:
    assert loose.plain({"n": value}, "n") == found


@pytest.mark.parametrize(
    ("value", "found"),
    [(3, 3), ("3", 3), (" 3 ", 3), ("-3", -3), (0, 0), (2**31 - 1, 2**31 - 1), (-(2**31), -(2**31))]
    + [(value, None) for value in [*NONE, "x", "", "--3", 1.0, 2**31, -(2**31) - 1, "9" * 11]],
)
def test_a_number_has_32_bits_or_is_none(value: Any, found: int | None) -> None:
    assert loose.number({"n": value}, "n") == found and loose.number({}, "n") is None


@pytest.mark.parametrize(
    ("value", "found"),
    [(5, 5), ("5", 5), (2**63 - 1, 2**63 - 1), (str(2**63 - 1), 2**63 - 1)]
    + [(value, 0) for value in [*NONE, -1, "-1", 2**63, str(2**63), "1" * 30, "٣", 1.5, "x"]],
)
def test_an_id_has_63_bits_or_is_0(value: Any, found: int) -> None:
    assert loose.whole({"n": value}, "n") == found and loose.whole({}, "n") == 0


@pytest.mark.parametrize(
    ("value", "found"),
    [(0.25, 0.25), (-3, -3.0), (2**53, 0.0), (float("inf"), 0.0), (float("nan"), 0.0), ("1", 0.0), (True, 0.0)],
)
def test_a_position_is_a_finite_number(value: Any, found: float) -> None:
    assert loose.real({"n": value}, "n") == found


@pytest.mark.parametrize(
    ("value", "found"), [(True, True), ("true", True), ("TRUE", True), (False, False), ("yes", False), (1, False)]
)
def test_a_flag_is_true_in_either_form_and_else_false(value: Any, found: bool) -> None:
    assert loose.flag({"n": value}, "n") is found and not loose.flag({}, "n")


@pytest.mark.parametrize(("value", "found"), [([1], [1]), ({"a": 1}, []), ("[1]", []), (None, [])])
def test_what_is_no_list_has_no_members(value: Any, found: list[Any]) -> None:
    assert loose.listed({"n": value}, "n") == found
