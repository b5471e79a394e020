"""Where a watcher stands: which event is next, and which page shows that history was lost."""

import pytest

from headgate import pb
from headgate.job import event_log
from headgate_server.errors.exceptions import Refused
from headgate_server.ports.jobs import LogPage
from headgate_server.watch.cursor import Cursor, Hint, Verdict, check_start


def hint(revision: int, incarnation: str = "a") -> Hint:
    return Hint(revision, incarnation, pb.EVENT_TYPE_WARNING, False, b"")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (hint(6), Verdict.NEXT),
        (hint(5), Verdict.DUPLICATE),
        (hint(1), Verdict.DUPLICATE),
        (hint(7), Verdict.GAP),
        (hint(5, "another"), Verdict.GAP),
    ],
)
def test_a_hint_is_sent_dropped_or_doubted(found: Hint, verdict: Verdict) -> None:
    assert Cursor(5, "a").classify(found) is verdict


def page(revision: int, first: int = 1, *, kept_from: int = 1) -> LogPage:
    events = tuple(f"event {number}".encode() for number in range(first, revision + 1))
    return LogPage(revision, pb.JOB_STATE_RUNNING, kept_from, first, events, events[-1] if events else b"")


@pytest.mark.parametrize("start", [0, 1, 4, 5])
def test_a_start_up_to_the_next_revision_is_served(start: int) -> None:
    check_start(start, page(4))


@pytest.mark.parametrize(("start", "kept_from", "reason"), [(6, 1, "REVISION_FUTURE"), (2, 3, "REVISION_COMPACTED")])
def test_a_start_that_the_log_does_not_have_is_refused(start: int, kept_from: int, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        check_start(start, page(4, kept_from=kept_from))

    assert caught.value.reason.name == reason


def test_a_page_is_checked_against_what_was_sent() -> None:
    digest = event_log.incarnation(b"event 3")

    assert not Cursor(3, digest).lost_by(page(5, 3))
    assert not Cursor(0).lost_by(page(5, 1))
    assert Cursor(3, "0" * 16).lost_by(page(5, 3))
    assert Cursor(6, digest).lost_by(page(5, 6))


def test_only_what_was_not_sent_is_taken_from_a_page() -> None:
    assert Cursor(3).unsent(page(5, 3)) == (b"event 4", b"event 5")
    assert Cursor(0).unsent(page(2, 1)) == (b"event 1", b"event 2")
    assert Cursor(5).unsent(page(5, 5)) == ()
