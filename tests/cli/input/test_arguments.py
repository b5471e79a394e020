from datetime import date, timedelta

import pytest

from headgate_cli.input.arguments import choice, date_spans, ids, labels, span, word
from headgate_cli.process.exit_codes import UsageFault

MODES = ["BACKFILL_MODE_UNSPECIFIED", "BACKFILL_MODE_GENERAL", "BACKFILL_MODE_ALL_DOWNSTREAM"]


def test_dates_are_single_ranges_or_lists() -> None:
    first, second, third = date(2025, 2, 5), date(2025, 2, 6), date(2025, 3, 1)

    assert date_spans(["2025-02-05..2025-02-06", "2025-03-01, 2025-02-05"]) == (
        (first, second),
        (third, third),
        (first, first),
    )
    assert date_spans([]) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2025-02-30", "'2025-02-30' is no date"),
        ("yesterday", "write 2025-02-05"),
        ("2025-02-06..2025-02-05", "ends before it starts"),
        ("2025-02-05..", "'' is no date"),
    ],
)
def test_a_wrong_date_says_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(UsageFault, match=message) as caught:
        date_spans([text])

    assert caught.value.flag == "--biz-dates"


def test_ids_are_lists_of_whole_positive_numbers() -> None:
    assert ids(["1000341554601,1000341554605", "7"], "ID") == (1000341554601, 1000341554605, 7)
    for wrong in ("0", "-1", "x", "1.5", "٣"):
        with pytest.raises(UsageFault, match="is no id"):
            ids([wrong], "ID")


def test_words_of_dataworks_are_enum_names() -> None:
    for typed in ("AllDownstream", "alldownstream", "ALL_DOWNSTREAM", "all-downstream"):
        assert choice(typed, MODES, "BACKFILL_MODE_", "--mode") == "BACKFILL_MODE_ALL_DOWNSTREAM"
    assert choice("", MODES, "BACKFILL_MODE_", "--mode") == "BACKFILL_MODE_UNSPECIFIED"
    assert word("BACKFILL_MODE_ALL_DOWNSTREAM", "BACKFILL_MODE_") == "AllDownstream"


def test_an_unknown_word_lists_the_known_ones() -> None:
    with pytest.raises(UsageFault, match="unknown word 'Sideways'; known are General, AllDownstream"):
        choice("Sideways", MODES, "BACKFILL_MODE_", "--mode")


def test_labels_are_pairs() -> None:
    assert labels(["team=orders", "note=a=b"]) == {"team": "orders", "note": "a=b"}
    with pytest.raises(UsageFault, match="key=value"):
        labels(["team"])


def test_spans_of_time() -> None:
    assert span("1h30m", "--deadline") == timedelta(minutes=90)
    assert span("0.5s", "--deadline") == timedelta(seconds=0.5)
    assert span("", "--deadline") is None
    for wrong in ("90", "1x", "m", "1h 30m"):
        with pytest.raises(UsageFault, match="is no span of time"):
            span(wrong, "--deadline")
