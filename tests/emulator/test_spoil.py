"""Replies that are spoilt in the way a fault says."""

import json

from headgate_emulator.faults import MalformedReply
from headgate_emulator.spoil import spoil


def test_spoilt_replies_are_spoilt_in_the_way_they_say() -> None:
    body = {"RequestId": "R", "List": [1], "Flag": True, "Deep": {"Id": 7, "Name": "n"}}

    wrong = json.loads(spoil(body, MalformedReply(shape="wrong_types")).body)
    assert wrong == {"RequestId": 4711, "List": {"0": "1"}, "Flag": "true", "Deep": {"Id": "7", "Name": 4711}}
    assert json.loads(spoil(body, MalformedReply(shape="missing_members")).body) == {"RequestId": "R"}
    assert json.loads(spoil(body, MalformedReply(shape="not_object")).body) == [body]
    cut = spoil(body, MalformedReply(shape="cut"))
    assert len(cut.body) < cut.promised
    assert len(spoil(body, MalformedReply(shape="huge", megabytes=1)).body) > 1 << 20
