"""Which events of the feed pass a filter of jobs: before or after the event, with few reads of the store."""

from headgate import pb
from headgate.job import event_log
from headgate.messages import filters
from headgate.messages.feed_entries import FeedEntry
from headgate_server.errors.exceptions import JobDamaged
from headgate_server.ports.clock import timestamp
from headgate_server.ports.jobs import LogPage
from headgate_server.watch.feed_filter import FeedFilter, summary_of

RUNNING, FAILED = pb.JOB_STATE_RUNNING, pb.JOB_STATE_FAILED


class Logs:
    """Logs of jobs, and how often each was read."""

    def __init__(self, **logs: list[pb.JobEvent]) -> None:
        self.logs = logs
        self.reads: list[str] = []
        self.damaged: set[str] = set()

    async def read_log(self, job_id: str, *, first: int, count: int, with_job: bool = False) -> LogPage | None:
        self.reads.append(job_id)
        if job_id in self.damaged:
            raise JobDamaged(job_id)
        if job_id not in self.logs:
            return None
        events = self.logs[job_id]
        job = event_log.replay(events)
        part = tuple(event.SerializeToString() for event in events[first - 1 : first - 1 + count])
        return LogPage(job.revision, job.state, 1, first, part, events[-1].SerializeToString(), job.SerializeToString())


def log(job_id: str, *states: pb.JobState.ValueType, team: str = "orders") -> list[pb.JobEvent]:
    job = pb.Job(name=f"jobs/{job_id}", uid=job_id, state=pb.JOB_STATE_QUEUED, labels={"team": team}, revision=1)
    job.backfill.project_id = 7
    accepted = pb.JobEvent(
        revision=1, type=pb.EVENT_TYPE_ACCEPTED, state=pb.JOB_STATE_QUEUED, event_time=timestamp(1_000)
    )
    accepted.job.CopyFrom(job)
    later = (
        pb.JobEvent(revision=at, type=pb.EVENT_TYPE_WARNING, state=state, event_time=timestamp(at * 1_000))
        for at, state in enumerate(states, 2)
    )
    return [accepted, *later]


def entries(job_id: str, events: list[pb.JobEvent]) -> list[FeedEntry]:
    return [FeedEntry((event.revision, 0), job_id, event.revision, event.SerializeToString()) for event in events]


def feed_filter(text: str, logs: Logs, **given: int) -> FeedFilter:
    return FeedFilter(filters.parse(text), logs, **given)


async def test_an_event_passes_that_brings_a_job_into_the_filter_or_takes_it_out() -> None:
    events = log("a", RUNNING, RUNNING, FAILED, FAILED)
    found = feed_filter("state = RUNNING", Logs(a=events))

    assert [await found.passes(entry) for entry in entries("a", events)] == [False, True, True, True, False]


async def test_a_job_that_was_heard_of_from_its_begin_is_never_read() -> None:
    events, logs = log("a", RUNNING, FAILED), Logs()
    found = feed_filter('labels.team = "orders"', logs)

    assert all([await found.passes(entry) for entry in entries("a", events)]) and logs.reads == []


async def test_a_job_that_was_not_heard_of_is_read_once() -> None:
    events = log("a", RUNNING, RUNNING, FAILED)
    logs = Logs(a=events[:3])
    found = feed_filter("state = FAILED", logs)

    assert not await found.passes(entries("a", events)[2])
    assert await found.passes(entries("a", events)[3])
    assert logs.reads == ["a"]


async def test_of_more_jobs_than_summaries_the_one_heard_of_longest_ago_is_read_again() -> None:
    a, b, c = (log(name, RUNNING, RUNNING) for name in "abc")
    logs = Logs(a=a, b=b, c=c)
    found = feed_filter("state = RUNNING", logs, size=2)
    for name, events in (("a", a), ("b", b), ("c", c)):
        await found.passes(entries(name, events)[0])

    assert await found.passes(entries("c", c)[1]) and logs.reads == []
    assert await found.passes(entries("a", a)[2]) and logs.reads == ["a"]


async def test_an_event_of_a_job_that_is_gone_damaged_or_another_passes_nothing() -> None:
    events = log("a", RUNNING, RUNNING)
    other = log("a", RUNNING, FAILED)
    gone, rewritten, damaged = Logs(), Logs(a=other), Logs(a=events)
    damaged.damaged.add("a")

    for logs in (gone, rewritten, damaged):
        assert not await feed_filter("state = RUNNING", logs).passes(entries("a", events)[2])


async def test_without_a_filter_everything_passes_and_nothing_is_read() -> None:
    logs = Logs()
    found = FeedFilter(None, logs)

    assert found.passes_job("a", b"\xff") and await found.passes(FeedEntry((1, 1), "a", 5, b"\xff"))
    assert logs.reads == []


async def test_a_job_that_was_shown_as_it_stands_is_not_read_for_its_next_event() -> None:
    events = log("a", RUNNING, FAILED)
    logs = Logs(a=events)
    found = feed_filter("state = FAILED", logs)

    assert not found.passes_job("a", event_log.replay(events[:2]).SerializeToString())
    assert await found.passes(entries("a", events)[2]) and logs.reads == []
    found.forget("a")
    assert await found.passes(entries("a", events)[2]) and logs.reads == ["a"]


async def test_an_id_that_is_used_again_has_the_summary_of_its_new_job() -> None:
    first, second = log("a", RUNNING, team="orders"), log("a", RUNNING, team="sales")
    found = feed_filter('labels.team = "sales"', Logs())

    assert [await found.passes(entry) for entry in entries("a", first) + entries("a", second)] == [
        False,
        False,
        True,
        True,
    ]


def test_a_summary_answers_a_filter_as_its_job_does() -> None:
    job = event_log.replay(log("a", RUNNING, FAILED))
    for text in ("state = FAILED", 'labels.team = "orders"', "project_id = 7", "kind = backfill", "project_id = 8"):
        wanted = filters.parse(text)
        assert wanted.passes(summary_of(job)) is wanted.passes(job), text
    assert not summary_of(job).runs and summary_of(job).ByteSize() < job.ByteSize()
