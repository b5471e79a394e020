"""The pure modules, each against its own promise: wire, cursor, calendar, submission, control, status, pages."""

from datetime import date, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

from headgate import pb
from headgate.backfill import dates
from headgate.job import event_log
from headgate.reasons import Reason
from headgate.store import commit, keys, queue_entries
from headgate_server.errors import status
from headgate_server.errors.exceptions import Refused, Relayed, RowDamaged, StoreFull, StoreUnavailable
from headgate_server.jobs import listing, transitions
from headgate_server.jobs.new_job import KINDS, Chance, body_digest, submission
from headgate_server.ports import message_bytes
from headgate_server.ports.clock import StoreClock, timestamp
from headgate_server.ports.jobs import LogPage
from headgate_server.requests import date_rules, validator
from headgate_server.watch.cursor import Cursor, Hint, Verdict, check_start
from tests.server.world import DAY, backfill, detail, ranges

CHANCE = Chance(1_700_000_000_123, bytes(range(24)))
REVISIONS = st.integers(1, 2**63 - 1)


@given(REVISIONS, st.binary(max_size=300), st.text(max_size=20))
def test_a_spliced_event_is_what_the_library_would_write(revision: int, noise: bytes, text: str) -> None:
    event = pb.JobEvent(revision=revision, type=pb.EVENT_TYPE_WARNING, message=text * 10, actor=noise.hex())
    wanted = pb.WatchJobResponse(revision=revision, job="jobs/x", event=event, incarnation="ab" * 8)

    spliced = message_bytes.event(b"jobs/x", revision, event.SerializeToString(), b"ab" * 8)

    assert spliced == wanted.SerializeToString()


def test_a_spliced_snapshot_is_what_the_library_would_write() -> None:
    job = submission(backfill(), CHANCE).job
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


def hint(revision: int, incarnation: str = "a") -> Hint:
    return Hint(revision, incarnation, pb.EVENT_TYPE_WARNING, False, b"")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (hint(6), Verdict.NEXT),
        (hint(5), Verdict.DUPLICATE),
        (hint(1), Verdict.DUPLICATE),
        (hint(7), Verdict.GAP),
        (hint(5, "another"), Verdict.GAP),
    ],
)
def test_a_hint_is_sent_dropped_or_doubted(found: Hint, verdict: Verdict) -> None:
    assert Cursor(5, "a").classify(found) is verdict


def page(revision: int, first: int = 1, *, kept_from: int = 1) -> LogPage:
    events = tuple(f"event {number}".encode() for number in range(first, revision + 1))
    return LogPage(revision, pb.JOB_STATE_RUNNING, kept_from, first, events, events[-1] if events else b"")


@pytest.mark.parametrize("start", [0, 1, 4, 5])
def test_a_start_up_to_the_next_revision_is_served(start: int) -> None:
    check_start(start, page(4))


@pytest.mark.parametrize(("start", "kept_from", "reason"), [(6, 1, "REVISION_FUTURE"), (2, 3, "REVISION_COMPACTED")])
def test_a_start_that_the_log_does_not_have_is_refused(start: int, kept_from: int, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        check_start(start, page(4, kept_from=kept_from))

    assert caught.value.reason.name == reason


def test_a_page_is_checked_against_what_was_sent() -> None:
    digest = event_log.incarnation(b"event 3")

    assert not Cursor(3, digest).lost_by(page(5, 3))
    assert not Cursor(0).lost_by(page(5, 1))
    assert Cursor(3, "0" * 16).lost_by(page(5, 3))
    assert Cursor(6, digest).lost_by(page(5, 6))


def test_only_what_was_not_sent_is_taken_from_a_page() -> None:
    assert Cursor(3).unsent(page(5, 3)) == (b"event 4", b"event 5")
    assert Cursor(0).unsent(page(2, 1)) == (b"event 1", b"event 2")
    assert Cursor(5).unsent(page(5, 5)) == ()


DAYS = st.dates(date(2024, 12, 1), date(2025, 3, 31))


@given(
    st.lists(st.tuples(DAYS, st.integers(0, 40)), min_size=1, max_size=6),
    st.lists(DAYS, max_size=4),
    st.sets(st.integers(1, 7), max_size=3),
    st.booleans(),
)
def test_the_dates_of_a_backfill_are_those_the_protocol_says(
    spans: list[tuple[date, int]], excluded: list[date], weekdays: set[int], month_ends: bool
) -> None:
    spec = pb.BackfillSpec(days_of_week=list(weekdays), month_ends_only=month_ends)
    for start, length in spans:
        end = dates.to_message(start + timedelta(days=length))
        spec.biz_dates.add(start_biz_date=dates.to_message(start), end_biz_date=end)
    spec.exclude_biz_dates.extend(map(dates.to_message, excluded))

    assert tuple(date_rules.days(spec)) == dates.chosen(spec)


def test_a_submission_is_the_job_its_event_and_their_commit() -> None:
    made = submission(backfill(request_id="r", options=pb.JobOptions(labels={"team": "orders"}, priority=3)), CHANCE)

    event = pb.JobEvent.FromString(made.commit.events[0])
    assert event.type == pb.EVENT_TYPE_ACCEPTED and event.revision == 1
    assert event.job == made.job == event_log.fold(None, event)
    assert event.event_time == timestamp(CHANCE.now_ms) == made.job.create_time
    assert (made.job.creator, made.job.priority, dict(made.job.labels)) == ("anonymous", 3, {"team": "orders"})
    assert made.commit.request == commit.RequestRecord(keys.request("anonymous", "r"), made.digest)
    assert made.commit.wake is not None and made.commit.wake.delay_ms == 0
    assert queue_entries.decode(made.commit.wake.entry.definition)["a"] == [keys.job_id(made.job.name)]


def test_a_chosen_id_begins_with_the_kind_and_is_a_good_name() -> None:
    job_ids = {keys.job_id(submission(backfill(), Chance(0, bytes([n] * 24))).job.name) for n in range(256)}

    assert len(job_ids) == 256
    assert all(job_id.startswith("backfill-") and len(job_id) == 21 for job_id in job_ids)


@pytest.mark.parametrize(
    ("request_", "until"),
    [
        (backfill(), pb.UNTIL_FINISHED),
        (backfill(until=pb.UNTIL_STARTED), pb.UNTIL_STARTED),
        (pb.StartWorkflowInstancesRequest(spec=pb.StartWorkflowInstancesSpec(ids=[1])), pb.UNTIL_FINISHED),
        (pb.StopWorkflowInstancesRequest(spec=pb.StopWorkflowInstancesSpec(ids=[1])), pb.UNTIL_FINISHED),
        (pb.RerunWorkflowInstancesRequest(), pb.UNTIL_ACCEPTED),
        (pb.ExecuteAdhocWorkflowInstanceRequest(), pb.UNTIL_FINISHED),
        (pb.CreateWorkflowInstancesRequest(), pb.UNTIL_ACCEPTED),
        (
            pb.CreateWorkflowInstancesRequest(spec=pb.CreateWorkflowInstancesSpec(auto_start_enabled=True)),
            pb.UNTIL_FINISHED,
        ),
    ],
)
def test_how_far_a_job_goes_is_resolved(request_: object, until: int) -> None:
    assert submission(request_, CHANCE).job.until == until


def test_rows_of_a_create_are_its_dates_and_rows_of_a_start_its_ids() -> None:
    spec = pb.CreateWorkflowInstancesSpec(type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA)
    spec.periods.biz_dates.extend(ranges(DAY + timedelta(days=1), DAY))
    created = submission(pb.CreateWorkflowInstancesRequest(spec=spec), CHANCE).job.runs
    started = submission(
        pb.StartWorkflowInstancesRequest(spec=pb.StartWorkflowInstancesSpec(ids=[9, 4])), CHANCE
    ).job.runs

    assert [dates.from_message(run.biz_date) for run in created] == [DAY, DAY + timedelta(days=1)]
    assert [(run.workflow_instance_id, run.state) for run in started] == [
        (9, pb.RUN_STATE_CREATED),
        (4, pb.RUN_STATE_CREATED),
    ]
    assert {(run.attempt, run.operation_index) for run in (*created, *started)} == {(1, -1)}


def test_times_that_a_caller_gives_win() -> None:
    options = pb.JobOptions(deadline={"seconds": 60}, ttl_after_end={"seconds": 120})  # type: ignore[arg-type]
    given, plain = (submission(backfill(options=o), CHANCE).job for o in (options, None))

    assert given.deadline_time.ToMilliseconds() - CHANCE.now_ms == 60_000
    assert given.ttl_after_end.seconds == 120
    assert plain.deadline_time.ToMilliseconds() - CHANCE.now_ms == 7 * 24 * 3_600_000
    assert plain.ttl_after_end.seconds == CHANCE.ttl_seconds


def test_a_digest_tells_bodies_and_kinds_apart_but_not_request_ids() -> None:
    assert body_digest(backfill(request_id="a")) == body_digest(backfill(request_id="b"))
    assert body_digest(backfill()) != body_digest(backfill(job_id="x"))
    start = pb.StartWorkflowInstancesRequest(spec=pb.StartWorkflowInstancesSpec(ids=[1]))
    stop = pb.StopWorkflowInstancesRequest(spec=pb.StopWorkflowInstancesSpec(ids=[1]))
    assert start.SerializeToString() == stop.SerializeToString()
    assert body_digest(start) != body_digest(stop)


def test_every_kind_of_submit_is_a_spec_of_a_job() -> None:
    words = {kind.word for kind in KINDS.values()}

    assert words <= {field.name for field in pb.Job.DESCRIPTOR.oneofs_by_name["spec"].fields}


STATES = [state for state in pb.JobState.values() if state]


@pytest.mark.parametrize("state", STATES)
def test_cancel_pause_and_resume_follow_the_life_cycle(state: pb.JobState.ValueType) -> None:
    job = submission(backfill(), CHANCE).job
    job.state = state
    steps: list[tuple[transitions.Decision, object]] = [
        (transitions.cancel, pb.CancelJobRequest(reason="why")),
        (transitions.pause, pb.PauseJobRequest()),
        (transitions.resume, pb.ResumeJobRequest()),
    ]
    for decide, request in steps:
        try:
            event = decide(job, request, "me", 5)
        except Refused as refused:
            assert refused.reason is Reason.STATE_CONFLICT
        else:
            assert event is None or event_log.fold(job, event).revision == 2


def test_a_cancel_is_recorded_with_its_mode() -> None:
    job = submission(backfill(), CHANCE).job

    event = transitions.cancel(job, pb.CancelJobRequest(reason="why"), "me", 5)

    assert event is not None
    after = event_log.fold(job, event)
    assert (after.state, after.cancel.mode) == (pb.JOB_STATE_CANCELLING, pb.CANCEL_MODE_STOP)
    assert (after.cancel.actor, after.cancel.reason) == ("me", "why")
    assert transitions.cancel(after, pb.CancelJobRequest(), "me", 6) is None


def test_errors_of_the_store_become_statuses_that_say_when_to_repeat() -> None:
    for error, code, reason in ((StoreUnavailable(), 14, "STORE_UNAVAILABLE"), (StoreFull(), 14, "STORE_FULL")):
        found = status.translate(error)
        assert found is not None and found.code == code
        assert detail(found, error_details_pb2.ErrorInfo).reason == reason
        assert detail(found, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() >= 100


def test_an_error_nobody_can_act_on_has_no_status() -> None:
    assert status.translate(RowDamaged("x")) is None


def test_a_workers_error_goes_on_as_it_came() -> None:
    sent = status.describe(Refused(Reason.INSTANCE_UNKNOWN, "no such instance", metadata={"id": "5"}))

    assert status.translate(Relayed(sent.SerializeToString())) == sent
    broken = status.translate(Relayed(b"\xff\xff"))
    assert broken is not None and detail(broken, error_details_pb2.ErrorInfo).reason == "INTERNAL_ERROR"


def test_every_reason_has_a_code_that_grpc_knows() -> None:
    for reason in Reason:
        assert status.describe(Refused(reason, "x")).code in status.CODES


def test_a_page_token_is_good_only_for_its_arguments() -> None:
    asked = pb.ListJobsRequest(filter="state = RUNNING")
    asked.page_token = listing.write_token(asked, 77)

    assert listing.read_token(asked) == 77
    for other in (
        pb.ListJobsRequest(filter="state = QUEUED", page_token=asked.page_token),
        pb.ListJobsRequest(filter=asked.filter, order_by="create_time", page_token=asked.page_token),
        pb.ListJobsRequest(filter=asked.filter, page_token=asked.page_token[:-1]),
        pb.ListJobsRequest(filter=asked.filter, page_token="ünlesbar"),
    ):
        with pytest.raises(Refused) as caught:
            listing.read_token(other)
        assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


def test_the_stores_clock_is_followed_between_its_answers() -> None:
    steady = 0
    clock = StoreClock(lambda: steady)

    clock.learn(1_000)
    steady = 250_000_000

    assert clock.now_ms() == 1_250
    assert timestamp(1_250) == Timestamp(seconds=1, nanos=250_000_000)


def test_what_can_not_be_the_name_of_a_connection_is_refused() -> None:
    validator.check(pb.GetWorkflowInstanceRequest(id=1, connection="elsewhere"))
    with pytest.raises(Refused) as caught:
        validator.check(pb.GetWorkflowInstanceRequest(id=1, connection="Not A Name"))
    assert caught.value.reason is Reason.FIELD_INVALID
