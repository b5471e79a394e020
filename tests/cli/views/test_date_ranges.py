"""Business dates in few words."""

from datetime import date

from headgate_cli.views.date_ranges import fitting, ranges


def test_days_without_a_gap_are_a_range() -> None:
    days = [date(2025, 2, 5), date(2025, 2, 6), date(2025, 2, 8), date(2025, 2, 28), date(2025, 3, 1)]

    assert ranges(days) == ["2025-02-05..2025-02-06", "2025-02-08", "2025-02-28..2025-03-01"]
    assert ranges([]) == []


def test_what_does_not_fit_is_counted() -> None:
    words = ["one", "two", "three"]

    assert [fitting(words, width) for width in (15, 14, 3)] == ["one, two, three", "one and 2 more", "one and 2 more"]
    assert fitting(words[:1], 1) == "one"
