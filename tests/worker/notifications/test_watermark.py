"""A position moves on only when nothing before it is open, in whatever order notifications end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate_worker.notifications.watermark import Watermark


def test_what_is_open_holds_the_position_back() -> None:
    found = Watermark((1, 0))
    found.read((2, 0))
    found.open("a")
    found.read((3, 0))
    found.read((4, 0))
    assert found.position == (2, 0)

    found.settle("a")

    assert found.position == (4, 0)


def test_entries_before_the_begin_move_nothing_back() -> None:
    found = Watermark((5, 0))
    found.read((3, 0))

    assert found.position == (5, 0)


@given(st.lists(st.integers(0, 3), max_size=20), st.randoms(use_true_random=False))
def test_the_position_is_never_past_an_open_one(counts: list[int], random: object) -> None:
    found, entry_of, settled = Watermark((0, 0)), {}, set()
    for at, count in enumerate(counts, 1):
        for number in range(count):
            key = f"{at}.{number}"
            found.open(key)
            entry_of[key] = at
        found.read((at, 0))
    keys = list(entry_of)
    random.shuffle(keys)  # type: ignore[attr-defined]
    last = found.position
    for key in keys:
        found.settle(key)
        settled.add(key)
        left = [at for other, at in entry_of.items() if other not in settled]
        assert last <= found.position == (min(left) - 1 if left else len(counts), 0)
        last = found.position
