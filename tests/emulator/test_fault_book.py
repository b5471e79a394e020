"""Faults that are armed, and how often each strikes."""

from datetime import date

import pytest

from headgate_emulator.fault_book import MAX_FAULTS, FaultBook, TooManyFaults
from headgate_emulator.faults import FailRun, LostReply

DAY = date(2025, 2, 5)


def test_a_fault_strikes_as_often_as_it_says() -> None:
    book = FaultBook([LostReply(action="Create*", count=2)])

    struck = [book.take(LostReply, lambda fault: fault.matches("CreateWorkflowInstances")) for _ in range(3)]

    assert [fault is not None for fault in struck] == [True, True, False]
    assert book.rows() == []


def test_a_fault_that_does_not_match_is_kept() -> None:
    book = FaultBook([FailRun(biz_date=DAY), FailRun(name="etl_*")])

    assert book.take(LostReply, lambda _: True) is None
    assert book.take(FailRun, lambda fault: fault.matches(date(2025, 1, 1), "report")) is None
    assert book.take(FailRun, lambda fault: fault.matches(DAY, "report")) == FailRun(biz_date=DAY)
    assert [armed.fault for armed in book.rows()] == [FailRun(name="etl_*")]


def test_the_book_is_bounded_and_an_overfull_order_adds_nothing() -> None:
    book = FaultBook([LostReply()])

    with pytest.raises(TooManyFaults):
        book.add([LostReply()] * MAX_FAULTS)

    assert len(book.rows()) == 1
