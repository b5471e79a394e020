"""Times and spans that can't be written as JSON, found anywhere in a message."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_server.requests.time_rules import ill_formed, is_span, is_time

SECONDS, NANOS = st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1)


@given(SECONDS, NANOS)
def test_a_span_is_one_where_the_library_can_write_it(seconds: int, nanos: int) -> None:
    span = Duration(seconds=seconds, nanos=nanos)
    try:
        span.ToJsonString()
    except ValueError:
        assert not is_span(span)
    else:
        assert is_span(span)


@given(st.one_of(SECONDS, st.sampled_from([-62_135_596_800, -62_135_596_801, 253_402_300_799, 253_402_300_800])), NANOS)
def test_a_time_is_one_where_the_library_can_write_it(seconds: int, nanos: int) -> None:
    time = Timestamp(seconds=seconds, nanos=nanos)
    try:
        time.ToJsonString()
    except ValueError:
        assert not is_time(time)
    else:
        assert is_time(time)


def test_every_such_field_is_named_by_its_path() -> None:
    job = pb.Job()
    job.create_time.nanos = -1
    job.usage.quota_wait.seconds, job.usage.quota_wait.nanos = 60, -1
    job.runs.add().started_time.seconds = 2**62
    job.runs.add()

    assert dict(ill_formed(job)).keys() == {"create_time", "usage.quota_wait", "runs[0].started_time"}
    assert "nanos" in dict(ill_formed(job))["create_time"]


def test_good_ones_and_absent_ones_are_none() -> None:
    assert not list(ill_formed(pb.Job(create_time=Timestamp(seconds=1), runs=[pb.InstanceRun()])))


@pytest.mark.parametrize(("seconds", "nanos"), [(60, -1), (-60, 1), (0, 1_000_000_000)])
def test_nanoseconds_of_another_sign_are_no_span(seconds: int, nanos: int) -> None:
    assert not is_span(Duration(seconds=seconds, nanos=nanos))
