"""Which status may follow which."""

import pytest

from headgate_emulator.dataworks.statuses import MOVES, TERMINAL, IllegalMove, Status, check_move


@pytest.mark.parametrize("old", Status)
@pytest.mark.parametrize("new", Status)
def test_every_pair_of_statuses_moves_as_the_table_says(old: Status, new: Status) -> None:
    if new in MOVES[old]:
        check_move(old, new)
        return
    with pytest.raises(IllegalMove):
        check_move(old, new)


def test_nothing_follows_an_end_and_everything_else_has_one() -> None:
    for status in Status:
        assert (MOVES[status] == frozenset()) == (status in TERMINAL)
