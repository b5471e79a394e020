"""Names of instances: the plain one, and the marked one of a job that came second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.backfill.marker import MOST_NAME, is_form_of, marked, stem

names = st.text(min_size=1, max_size=MOST_NAME)
uids = st.text(alphabet="0123456789abcdef", min_size=16, max_size=16)


@given(names, uids)
def test_what_is_made_for_a_name_is_known_by_it(name: str, uid: str) -> None:
    made = marked(name, uid)

    assert len(made) <= MOST_NAME
    assert is_form_of(made, name) and is_form_of(name, name)
    assert made.startswith(stem(name)) and name.startswith(stem(name))


@pytest.mark.parametrize("other", ["nightly2", "nightly-0123abcd", "nightly-hg0123abcde", "nightl", "Nightly", ""])
def test_other_names_are_not_taken_for_it(other: str) -> None:
    assert not is_form_of(other, "nightly")


def test_a_marked_name_of_another_name_is_another() -> None:
    assert not is_form_of(marked("nightly2", "0" * 16), "nightly")
