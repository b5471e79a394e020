"""Where a reader of the feed stands, as a token, and entries that can't be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.job import event_log
from headgate.messages.feed_entries import FeedEntry, event_of, without_event
from headgate.reasons import Reason
from headgate_server.errors.exceptions import Refused
from headgate_server.ports.feed import START, FeedPosition, position_of, read_token, write_token

EVENT = pb.JobEvent(revision=3, type=pb.EVENT_TYPE_WARNING).SerializeToString()
ENTRY = FeedEntry((1_700_000_000_000, 2), "orders", 3, EVENT)
NUMBERS = st.integers(0, 2**64 - 1)


@given(NUMBERS, NUMBERS, st.binary(min_size=8, max_size=8))
def test_a_token_says_the_position_it_was_made_of(ms: int, number: int, digest: bytes) -> None:
    position = FeedPosition((ms, number), digest.hex())

    assert read_token(write_token(position)) == position


@pytest.mark.parametrize(
    "token", ["x", "AAAA", "ü", write_token(START)[:-1], write_token(START) + "AAAA", "Ag" + write_token(START)[2:]]
)
def test_what_is_no_token_is_refused_by_the_field(token: str) -> None:
    with pytest.raises(Refused) as caught:
        read_token(token)

    assert caught.value.reason is Reason.FIELD_INVALID


def test_a_position_follows_its_own_entry_and_no_other_at_that_place() -> None:
    other = pb.JobEvent(revision=3, type=pb.EVENT_TYPE_RESOLVED).SerializeToString()

    assert position_of(ENTRY).follows(ENTRY) and not START.follows(ENTRY)
    for rewritten in (
        FeedEntry(ENTRY.id, "orders", 3, other),
        FeedEntry(ENTRY.id, "orders", 4, EVENT),
        FeedEntry(ENTRY.id, "sales", 3, EVENT),
        FeedEntry((ENTRY.id[0], 3), "orders", 3, EVENT),
    ):
        assert not position_of(ENTRY).follows(rewritten)


@pytest.mark.parametrize("entry", [FeedEntry((1, 1), "x", 3, b"\xff"), FeedEntry((1, 1), "x", 4, EVENT)])
def test_an_entry_that_can_not_be_read_has_no_event(entry: FeedEntry) -> None:
    assert event_of(entry) is None


def test_an_entry_without_its_event_keeps_its_place() -> None:
    assert event_of(ENTRY) == pb.JobEvent.FromString(EVENT)
    assert without_event(ENTRY) == FeedEntry(ENTRY.id, "", 0, b"")


def test_the_incarnation_is_of_the_whole_event() -> None:
    assert ENTRY.incarnation == event_log.incarnation(EVENT)
    assert FeedEntry((1, 1), "x", 3, EVENT, whole="ab" * 8).incarnation == "ab" * 8
