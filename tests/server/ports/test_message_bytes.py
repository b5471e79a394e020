"""Messages put together from bytes: what the library would have written."""

from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate_server.jobs.new_job import SubmitContext, new_job
from headgate_server.ports import message_bytes
from tests.server.world import backfill

CHANCE = SubmitContext(1_700_000_000_123, bytes(range(24)))


REVISIONS = st.integers(1, 2**63 - 1)


@given(REVISIONS, st.binary(max_size=300), st.text(max_size=20))
def test_a_spliced_event_is_what_the_library_would_write(revision: int, noise: bytes, text: str) -> None:
    event = pb.JobEvent(revision=revision, type=pb.EVENT_TYPE_WARNING, message=text * 10, actor=noise.hex())
    wanted = pb.WatchJobResponse(revision=revision, job="jobs/x", event=event, incarnation="ab" * 8)

    spliced = message_bytes.event(b"jobs/x", revision, event.SerializeToString(), b"ab" * 8)

    assert spliced == wanted.SerializeToString()


def test_a_spliced_snapshot_is_what_the_library_would_write() -> None:
    job = new_job(backfill(), CHANCE).job
    wanted = pb.WatchJobResponse(revision=7, job=job.name, snapshot=job, incarnation="cd" * 8)

    spliced = message_bytes.snapshot(job.name.encode(), 7, job.SerializeToString(), b"cd" * 8)

    assert pb.WatchJobResponse.FromString(spliced) == wanted
    assert len(spliced) == wanted.ByteSize()


@given(st.lists(st.text(max_size=40), max_size=5), st.booleans())
def test_a_spliced_page_of_events_is_what_the_library_would_write(texts: list[str], end: bool) -> None:
    events = [pb.JobEvent(revision=index + 1, message=text) for index, text in enumerate(texts)]
    wanted = pb.ListJobEventsResponse(job_events=events, next_revision=len(events) + 1, end=end)

    spliced = message_bytes.events_page(
        (event.SerializeToString() for event in events), next_revision=len(events) + 1, end=end
    )

    assert spliced == wanted.SerializeToString()


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_call_counters_join_the_usage_that_a_job_has(reads: int, writes: int, throttled: int) -> None:
    job = pb.Job(name="jobs/x")
    job.usage.quota_wait.seconds = 5

    joined = pb.Job.FromString(
        message_bytes.with_usage(job.SerializeToString(), reads=reads, writes=writes, throttled=throttled)
    )

    usage = joined.usage
    assert (usage.upstream_reads, usage.upstream_writes, usage.throttled) == (reads, writes, throttled)
    assert usage.quota_wait.seconds == 5 and joined.name == "jobs/x"
