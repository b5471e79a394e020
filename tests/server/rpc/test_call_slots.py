"""The slots of one kind of calls: room, or the answer of a call for which there is none."""

from headgate_server.auth import denials
from headgate_server.rpc.call_slots import CallSlots
from headgate_server.rpc.pending_requests import PendingRequests
from headgate_server.rpc.slot_table import SlotBounds


def test_there_is_room_until_the_limit_and_again_when_a_call_has_ended() -> None:
    slots = CallSlots(2, PendingRequests(SlotBounds(10, 10), 10))

    slots.open.enter()
    assert slots.why_not() is None
    slots.open.enter()
    assert slots.why_not() == denials.no_room(2)
    slots.open.leave()
    assert slots.why_not() is None
