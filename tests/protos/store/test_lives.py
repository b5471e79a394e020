"""Which life a job id has now, from fields beside the job or from the job's first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.store import lives
from headgate.store.lives import PREFIX_BYTES, Life

JOB = pb.Job(name="jobs/orders", uid="u-1", connection="main", creator="ada", labels={"a": "b" * 5_000})
LIFE = Life("u-1", "main")


def test_fields_beside_the_job_are_believed() -> None:
    assert lives.parse([b"u-1", b"main"]) == LIFE
    assert lives.parse([b"u-1", None]) == Life("u-1", "")


def test_without_a_job_there_is_no_life() -> None:
    assert lives.parse([None, None]) is None


def test_a_job_of_an_earlier_version_is_asked_itself() -> None:
    prefix = JOB.SerializeToString()[:PREFIX_BYTES]
    event = pb.JobEvent(revision=1, type=pb.EVENT_TYPE_ACCEPTED, job=JOB).SerializeToString()[:PREFIX_BYTES]

    assert lives.parse([None, None, prefix, None]) == LIFE
    assert lives.parse([None, None, None, event]) == LIFE


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_a_prefix_that_is_cut_anywhere_tells_what_is_whole(cut: int) -> None:
    found = lives.of_prefix(JOB.SerializeToString()[:cut])

    assert "u-1".startswith(found.uid) and "main".startswith(found.connection)


@given(st.binary(max_size=200).filter(lambda raw: raw.isascii()))
def test_bytes_that_are_no_job_end_in_no_error_of_another_kind(raw: bytes) -> None:
    assert isinstance(lives.of_prefix(raw), Life)
