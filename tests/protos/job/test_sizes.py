"""How much of a job's growth is told: at length while it is small, in short later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.job import sizes
from headgate.job.sizes import EVENT_BYTES, MAX_ROW_BYTES, SHORT_ROW_BYTES, SHORT_TEXTS_BYTES, cut, row_room


def test_the_steps_come_one_after_the_other() -> None:
    assert SHORT_TEXTS_BYTES < sizes.NO_RETRY_BYTES < sizes.END_BYTES < sizes.MAX_JOB_BYTES < 2 * 1024 * 1024


@pytest.mark.parametrize(
    ("job_bytes", "rows", "room"),
    [
        (0, 0, MAX_ROW_BYTES),
        (0, 16, MAX_ROW_BYTES),
        (0, 64, EVENT_BYTES // 64),
        (0, 100_000, SHORT_ROW_BYTES),
        (SHORT_TEXTS_BYTES - 1, 1, MAX_ROW_BYTES),
        (SHORT_TEXTS_BYTES, 1, SHORT_ROW_BYTES),
    ],
)
def test_rows_share_an_event_while_their_job_is_small(job_bytes: int, rows: int, room: int) -> None:
    assert row_room(job_bytes, rows) == room


def test_a_large_job_runs_no_date_again() -> None:
    small, large = pb.Job(), pb.Job()
    large.error.message = "x" * sizes.NO_RETRY_BYTES

    assert sizes.has_room_for_retry(small) and not sizes.has_room_for_retry(large)


@given(st.text(), st.integers(0, 40))
def test_a_cut_text_fits_and_is_the_longest_that_does(text: str, most: int) -> None:
    found = cut(text, most)

    assert text.startswith(found) and len(found.encode()) <= most
    rest = text[len(found) :]
    assert not rest or len((found + rest[0]).encode()) > most
