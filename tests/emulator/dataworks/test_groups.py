"""Which instances of a backfill wait for which."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate_emulator.dataworks.groups import parents_of


def test_chains_wait_for_the_date_n_before_and_batches_for_the_batch_before() -> None:
    assert parents_of([1, 2, 3], 1, "chains") == {1: (), 2: (1,), 3: (2,)}
    assert parents_of([1, 2, 3, 4, 5], 2, "chains") == {1: (), 2: (), 3: (1,), 4: (2,), 5: (3,)}
    assert parents_of([1, 2, 3, 4, 5], 2, "batches") == {1: (), 2: (), 3: (1, 2), 4: (1, 2), 5: (3, 4)}


@given(st.integers(0, 40), st.integers(1, 10), st.sampled_from(["chains", "batches"]))
def test_parents_always_come_earlier_so_no_group_can_lock_up(size: int, width: int, topology: Any) -> None:
    parents = parents_of(range(size), width, topology)

    assert all(parent < child for child, found in parents.items() for parent in found)
    assert sum(not found for found in parents.values()) == min(size, width)
