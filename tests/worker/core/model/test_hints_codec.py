"""Hints as they are stored."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_worker.core.model.hints_codec import decode_hints, encode_hints
from headgate_worker.core.model.view import Hints, Inquiry, Sighting, View
from tests.worker.core.building import job

times = st.integers(0, 2**53)
maps = st.dictionaries(st.integers(0, 1100), times, max_size=5)
words = st.text(max_size=9)
all_hints = st.builds(
    Hints,
    failures=st.integers(0, 1000),
    retry_at_ms=times,
    poll_at_ms=maps,
    operation_poll_at_ms=times,
    starts=maps,
    asked_at_ms=maps,
    stop_asked_ms=maps,
    idle_at_ms=maps,
    place_at_ms=times,
    survey=st.dictionaries(
        st.integers(0, 1100),
        st.builds(Sighting, st.integers(0, 2**62), st.text(max_size=9), st.booleans(), st.integers(0, 20)),
        max_size=3,
    ),
    inquiries=st.dictionaries(
        st.integers(0, 1100),
        st.builds(Inquiry, times, times, st.integers(0, 9), times, times, words, times, words),
        max_size=3,
    ),
    found=st.dictionaries(times, st.lists(st.integers(-(2**62), 2**62), max_size=3).map(tuple), max_size=3),
    slot_class=st.sampled_from(["", "read", "write"]),
    slot_at_ms=times,
    stops_lost=st.frozensets(st.integers(0, 1100), max_size=3),
    parents_doubted=st.frozensets(st.integers(0, 1100), max_size=3),
)


def _plain(hints: Hints) -> Hints:
    """The same without zeros, which are not stored."""
    return decode_hints(encode_hints(hints))


@given(hints=all_hints)
def test_hints_survive_the_store(hints: Hints) -> None:
    assert _plain(hints) == hints


def test_fresh_hints_cost_nothing() -> None:
    assert encode_hints(Hints()) == b"{}"
    assert decode_hints(b"") == Hints()


@given(raw=st.binary(max_size=200))
def test_bytes_that_are_no_hints_are_fresh_ones_or_hints(raw: bytes) -> None:
    assert isinstance(decode_hints(raw), Hints)


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"null",
        b"7",
        b'{"f": "x"}',
        b'{"f": null}',
        b'{"p": 3}',
        b'{"p": {"a": 1}}',
        b'{"m": {"1": 4}}',
        b'{"n": {"1": [1, 2]}}',
        b'{"n": {"1": [1, "x", 0, 0, 0, "7", 1, "t"]}}',
        b'{"r": 1e999}',
        b'{"f": NaN}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_hostile_hints_are_only_forgotten(raw: bytes) -> None:
    assert decode_hints(raw) == Hints()


def test_a_reader_that_is_older_ignores_what_it_does_not_know() -> None:
    assert decode_hints(json.dumps({"f": 2, "new": [1]}).encode()) == Hints(failures=2)


def test_a_run_that_has_ended_is_forgotten_everywhere() -> None:
    hints = Hints().started(3, 10).poll(3, 20).stop_refused(3, 30).idle(3, 35).doubted(3).poll(4, 40)

    assert hints.forget(3) == Hints(poll_at_ms={4: 40})


def test_an_answer_ends_a_row_of_failures() -> None:
    assert Hints(failures=4, retry_at_ms=9, starts={1: 1}).settled() == Hints(starts={1: 1})


def test_starts_are_counted_and_asking_is_not_a_start() -> None:
    hints = Hints().started(1, 5).started(1, 7).asked(2, 9)

    assert (hints.starts, hints.asked_at_ms) == ({1: 2}, {1: 7, 2: 9})


def test_a_slot_is_held_until_it_is_used() -> None:
    assert Hints().slot("read", 7).slot("", 0) == Hints()


def test_the_kind_is_the_spec_that_is_set() -> None:
    assert View(job(), Hints(), 0).kind == "backfill"
    assert View(pb.Job(), Hints(), 0).kind == ""
