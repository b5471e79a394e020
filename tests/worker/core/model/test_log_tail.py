"""The end of a text, cut by bytes and never inside a character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate_worker.core.model.log_tail import tail


@pytest.mark.parametrize(
    ("text", "most", "kept", "cut"),
    [
        ("abc", 3, "abc", False),
        ("abc", 2, "bc", True),
        ("", 5, "", False),
        ("abc", 0, "", True),
        ("表不存在", 12, "表不存在", False),
        ("表不存在", 11, "不存在", True),
        ("表不存在", 2, "", True),
        ("a😀", 4, "😀", True),
        ("a😀", 3, "", True),
        ("x\ud83d", 9, "x?", False),
    ],
)
def test_a_tail_is_the_last_whole_characters(text: str, most: int, kept: str, cut: bool) -> None:
    assert tail(text, most) == (kept, cut)


@given(st.text(), st.integers(0, 40))
def test_a_tail_is_a_suffix_that_fits_and_could_not_be_longer(text: str, most: int) -> None:
    kept, cut = tail(text, most)

    assert text.endswith(kept)
    assert len(kept.encode()) <= most
    assert cut == (kept != text)
    if cut:
        assert len(text[-len(kept) - 1 :].encode()) > most
