"""ARQ entries and replies as bytes."""

from __future__ import annotations

import base64
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.store import queue_entries

reads = st.builds(
    queue_entries.ReadRequest,
    id=st.integers(0, 2**53),
    method=st.text(max_size=30),
    request=st.binary(max_size=200),
    reply_to=st.text(max_size=30),
    deadline_ms=st.integers(0, 2**53),
)


def test_a_tick_names_its_job_and_is_never_the_same() -> None:
    entry = queue_entries.tick("t", nonce="0123456789ab", now_ms=7)

    assert entry.id == "tick:t:0123456789ab"
    found = queue_entries.decode(entry.definition)
    assert entry.definition == queue_entries.encode(found)
    assert (found["f"], found["a"], found["et"]) == (queue_entries.TICK, ["t"], 7)
    assert queue_entries.tick("t", nonce="ba9876543210", now_ms=7).id != entry.id


@given(asked=reads)
def test_a_read_survives_its_entry(asked: queue_entries.ReadRequest) -> None:
    entry = queue_entries.read(asked, nonce="0123456789ab", now_ms=7)

    found = queue_entries.decode(entry.definition)
    assert queue_entries.parse_read(found["a"], **found["k"]) == asked


def test_who_asks_stands_in_the_id_of_a_read_where_it_is_a_plain_name() -> None:
    asked = queue_entries.ReadRequest(1, "Get", b"", "list", 7, "etl")
    odd = replace(asked, caller="a:b\n")

    assert queue_entries.asker_of(queue_entries.read(asked, nonce="0", now_ms=7, connection="shanghai").id) == (
        "etl",
        "shanghai",
    )
    assert queue_entries.asker_of(queue_entries.read(odd, nonce="0", now_ms=7, connection="*").id) == ("", "")
    assert queue_entries.asker_of("read:0123456789ab") == ("", "")


def test_a_worker_of_the_version_before_reads_what_this_one_writes() -> None:
    asked = queue_entries.ReadRequest(1, "Get", b"body", "list", 7, "etl")
    found = queue_entries.decode(queue_entries.read(asked, nonce="0", now_ms=7, connection="shanghai").definition)

    number, method, body, reply_to, deadline_ms = found["a"]  # as it unpacks them; it looks at "f" and "a" alone
    assert (number, method, base64.b64decode(body), reply_to, deadline_ms) == (1, "Get", b"body", "list", 7)


def test_what_the_version_before_writes_is_a_read_of_nobody() -> None:
    definition = queue_entries.decode(b'{"t":null,"f":"read","a":[1,"Get","","list",7],"k":{},"et":7}')

    assert queue_entries.parse_read(definition["a"], **definition["k"]) == queue_entries.ReadRequest(
        1, "Get", b"", "list", 7
    )


@given(number=st.integers(0, 2**53), ok=st.booleans(), payload=st.binary(max_size=200))
def test_a_reply_survives_its_bytes(number: int, ok: bool, payload: bytes) -> None:
    reply = queue_entries.ReadReply(number, ok, payload)

    assert queue_entries.decode_reply(queue_entries.encode_reply(reply)) == reply


@pytest.mark.parametrize("raw", [b"", b"1", b"1 1", b"x 1 y"])
def test_bytes_that_are_no_reply_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        queue_entries.decode_reply(raw)


@pytest.mark.parametrize("raw", [b"", b"[]", b"7", b"null", b'"tick"', b"{", b"\x80\x04.", b"{'t': 1}"])
def test_a_definition_that_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        queue_entries.decode(raw)


class _Touch:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_a_hostile_definition_never_executes_anything(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"

    with pytest.raises(ValueError, match=r"."):
        queue_entries.decode(pickle.dumps(_Touch(trap)))
    assert not trap.exists()


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(raw: bytes) -> None:
    try:
        assert isinstance(queue_entries.decode(raw), dict)
    except ValueError:
        return


@pytest.mark.parametrize(
    "arguments",
    [[], [1], [1, "m", "!", "r", 1], [1, "m", "", "r", "x"], [None, "m", "", "r", 1], [1, "m", 7, "r", 1], [1] * 6],
)
def test_arguments_that_are_no_read_are_refused(arguments: list[object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        queue_entries.parse_read(arguments)
