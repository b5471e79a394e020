"""Entries of the feed as Redis answers them: read back as they were written, and as nothing where they were not."""

import pytest

from headgate import pb
from headgate.job import event_log
from headgate.messages.feed_entries import FeedEntry, entry_of, event_of, id_of

EVENT = pb.JobEvent(revision=3, type=pb.EVENT_TYPE_WARNING).SerializeToString()


def test_a_row_is_an_entry_with_its_id_job_and_event() -> None:
    found = entry_of([b"1700000000000-2", [b"i", b"orders", b"r", b"3", b"e", EVENT]])

    assert found == FeedEntry((1_700_000_000_000, 2), "orders", 3, EVENT)
    assert found.incarnation == event_log.incarnation(EVENT)
    assert event_of(found) == pb.JobEvent.FromString(EVENT)


def test_of_an_event_that_is_shown_without_payloads_the_whole_one_is_told_by_its_digest() -> None:
    found = entry_of([b"7-0", [b"i", b"orders", b"r", b"3", b"e", EVENT, b"d", b"00112233445566ff"]])

    assert found.incarnation == "00112233445566ff"


@pytest.mark.parametrize(
    "fields", [[], [b"i", b"orders"], [b"i", b"\xff", b"r", b"3", b"e", EVENT], [b"i", b"a", b"r", b"x", b"e", EVENT]]
)
def test_a_row_that_no_commit_wrote_has_a_place_and_no_event(fields: list[bytes]) -> None:
    assert entry_of([b"7-1", fields]) == FeedEntry((7, 1), "", 0, b"")


def test_an_id_has_the_order_of_the_feed() -> None:
    assert sorted([b"10-0", b"9-11", b"9-2"], key=id_of) == [b"9-2", b"9-11", b"10-0"]
