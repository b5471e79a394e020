"""Who has a slot, and who loses one: tables alone, without calls."""

from headgate_server.rpc.slot_table import SlotBounds, SlotTable


def test_a_newcomer_has_a_slot_while_there_are_some() -> None:
    table: SlotTable[int] = SlotTable(SlotBounds(total=4, per_connection=2))

    assert [table.take(call, f"peer {call // 2}") for call in range(4)] == [None] * 4
    assert len(table) == 4


def test_a_connection_that_wants_more_than_its_own_gives_up_its_oldest() -> None:
    table: SlotTable[int] = SlotTable(SlotBounds(total=10, per_connection=2))
    table.take(9, "other")

    assert [table.take(call, "greedy") for call in range(4)] == [None, None, 0, 1]
    assert sorted(call for call in range(10) if call in table) == [2, 3, 9]


def test_where_all_slots_are_taken_the_connection_with_most_gives_one_up() -> None:
    table: SlotTable[int] = SlotTable(SlotBounds(total=4, per_connection=3))
    for call, peer in enumerate(["modest", "greedy", "greedy", "greedy"]):
        table.take(call, peer)

    assert [table.take(4, "newcomer"), table.take(5, "newcomer")] == [1, 2]
    assert 0 in table


def test_a_slot_that_was_given_back_is_free() -> None:
    table: SlotTable[int] = SlotTable(SlotBounds(total=1, per_connection=1))
    table.take(1, "peer")
    table.free(1)
    table.free(1)

    assert (table.take(2, "peer"), len(table)) == (None, 1)
