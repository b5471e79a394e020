"""What the quota's script is asked, and what its answer means."""

import pytest

from headgate.quota.admission import (
    Crowded,
    Frozen,
    Go,
    Later,
    QuotaAnswer,
    QuotaVerdict,
    Slot,
    parse_verdict,
    pool,
    script_arguments,
    script_keys,
)
from headgate.quota.limits import READ, TOTAL, WRITE, Limits

ONE_RATE, TWO_RATES = Limits(total_qps=5), Limits(read_qps=50, write_qps=20)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ([QuotaAnswer.LET_OUT, 0], Go()),
        ([QuotaAnswer.SLOT, 700, 3], Slot(700, 3)),
        ([QuotaAnswer.LATER, 700], Later(700)),
        ([QuotaAnswer.FROZEN, 700], Frozen(700)),
        ([QuotaAnswer.CROWDED, 700], Crowded(700)),
    ],
)
def test_every_answer_is_a_verdict(raw: list[int], wanted: QuotaVerdict) -> None:
    assert parse_verdict(raw) == wanted


def test_a_code_that_there_is_not_is_an_error() -> None:
    with pytest.raises(ValueError, match="99"):
        parse_verdict([99, 0])


@pytest.mark.parametrize(
    ("limits", "klass", "wanted"),
    [(ONE_RATE, READ, TOTAL), (ONE_RATE, WRITE, TOTAL), (TWO_RATES, READ, READ), (TWO_RATES, WRITE, WRITE)],
)
def test_creators_share_the_class_that_has_a_rate_or_all_calls(limits: Limits, klass: str, wanted: str) -> None:
    assert pool(limits, klass) == wanted


def test_a_class_has_its_own_numbers_and_the_window_covers_what_is_left_of_the_rate() -> None:
    limits = Limits(read_qps=50, write_qps=20, read_daily=1, write_daily=2, total_daily=3, share=0.5)

    read, write = (script_arguments(limits, klass, cancel=False, patience_ms=100) for klass in (READ, WRITE))

    assert (read.own_qps, read.own_daily, write.own_qps, write.own_daily) == (50, 1, 20, 2)
    assert read.held_epoch == "" and read.is_cancel == 0 and read.window_length == pytest.approx(1.8)
    assert script_arguments(limits, READ, cancel=True, patience_ms=1, held=0).held_epoch == 0


def test_connections_and_classes_have_keys_of_their_own() -> None:
    main, other = script_keys("main", READ, TWO_RATES), script_keys("other", READ, TWO_RATES)

    assert not set(main) & set(other)
    assert script_keys("main", WRITE, TWO_RATES).quota == main.quota
    assert script_keys("main", WRITE, TWO_RATES).sent_class != main.sent_class
