"""What is remembered of how a connection begins children, and how it is stored."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.process.child_release import (
    HOLDS_MS,
    RENEWED_AFTER_MS,
    UNKNOWN,
    ChildRelease,
    ReleaseEvidence,
    ReleaseFact,
    decode_release,
    encode_release,
)

NOW_MS: Final = 1_739_019_600_000
facts = st.none() | st.builds(ReleaseFact, st.booleans(), st.integers(0, 2**50), st.text(max_size=9), st.integers(0))


def _seen(*, released: bool, at_ms: int = NOW_MS, succeeded: bool = False, lag_ms: int = 0) -> ReleaseEvidence:
    return ReleaseEvidence(succeeded, ReleaseFact(released, at_ms, "jobs/t", 7), lag_ms)


@given(st.builds(ChildRelease, facts, facts, st.integers(0, 10**9)))
def test_what_is_stored_is_read_again(known: ChildRelease) -> None:
    assert decode_release(encode_release(known)) == known


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7", b'{"s":[1]}', b'{"l":"x"}', b"\xff", b'{"s":[true,"x","",0]}'])
def test_of_what_is_not_ours_nothing_is_known(raw: bytes) -> None:
    assert decode_release(raw) == UNKNOWN


def test_each_kind_of_end_is_learnt_by_itself() -> None:
    known = UNKNOWN.learn(_seen(released=True, succeeded=True)).learn(_seen(released=False))

    assert known.releases(NOW_MS, succeeded=True) is True
    assert known.releases(NOW_MS, succeeded=False) is False
    assert UNKNOWN.releases(NOW_MS, succeeded=False) is None


def test_a_later_sight_wins_over_an_earlier_one() -> None:
    known = UNKNOWN.learn(_seen(released=False)).learn(_seen(released=True, at_ms=NOW_MS + 1))

    assert known.releases(NOW_MS + 1, succeeded=False) is True


def test_what_was_seen_long_ago_is_found_out_again() -> None:
    known = UNKNOWN.learn(_seen(released=False))

    assert known.releases(NOW_MS + HOLDS_MS, succeeded=False) is False
    assert known.releases(NOW_MS + HOLDS_MS + 1, succeeded=False) is None


def test_the_same_again_is_news_once_a_day() -> None:
    known = UNKNOWN.learn(_seen(released=False))

    assert known.learn(_seen(released=False, at_ms=NOW_MS + RENEWED_AFTER_MS - 1)) is known
    again = known.learn(_seen(released=False, at_ms=NOW_MS + RENEWED_AFTER_MS))
    assert again.releases(NOW_MS + HOLDS_MS + 1, succeeded=False) is False


def test_the_longest_lag_is_kept_in_whole_seconds() -> None:
    known = UNKNOWN.learn(_seen(released=True, lag_ms=1_200))

    assert known.lag_ms == 2_000
    assert known.learn(_seen(released=True, lag_ms=1_900)) is known
    assert known.learn(_seen(released=True, lag_ms=2_001)).lag_ms == 3_000
