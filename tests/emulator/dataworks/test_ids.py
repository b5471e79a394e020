"""Ids that look like the cloud's, and repeat with the seed."""

from random import Random

from headgate_emulator.dataworks.ids import IdSource


def test_ids_look_like_the_seeds_and_repeat_with_the_seed() -> None:
    one, other = IdSource(Random(7)), IdSource(Random(7))

    assert [one.instance_id(), one.instance_id()] == [1000341554601, 1000341554605]
    assert one.operation_id() == other.operation_id()
    request = one.request_id()
    assert request == other.request_id() == request.upper()
    assert (len(request), request[14]) == (36, "5")


def test_preset_ids_come_first() -> None:
    ids = IdSource(Random(1))

    ids.preset(instance_ids=[5], operation_ids=["op"], request_ids=["req"])
    ids.restart(100, 10)

    assert [ids.instance_id(), ids.instance_id(), ids.instance_id()] == [5, 100, 110]
    assert (ids.operation_id(), ids.request_id()) == ("op", "req")
    assert ids.operation_id() != "op"
