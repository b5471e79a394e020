"""The dates of a backfill, as the server counts them."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.backfill import dates
from headgate_server.requests import date_rules

DAYS = st.dates(date(2024, 12, 1), date(2025, 3, 31))


@given(
    st.lists(st.tuples(DAYS, st.integers(0, 40)), min_size=1, max_size=6),
    st.lists(DAYS, max_size=4),
    st.sets(st.integers(1, 7), max_size=3),
    st.booleans(),
)
def test_the_dates_of_a_backfill_are_those_the_protocol_says(
    spans: list[tuple[date, int]], excluded: list[date], weekdays: set[int], month_ends: bool
) -> None:
    spec = pb.BackfillSpec(days_of_week=list(weekdays), month_ends_only=month_ends)
    for start, length in spans:
        end = dates.to_message(start + timedelta(days=length))
        spec.biz_dates.add(start_biz_date=dates.to_message(start), end_biz_date=end)
    spec.exclude_biz_dates.extend(map(dates.to_message, excluded))

    assert tuple(date_rules.days(spec)) == dates.chosen(spec)
    assert date_rules.fewest_ranges(spec) == dates.to_ranges(dates.chosen(spec))
