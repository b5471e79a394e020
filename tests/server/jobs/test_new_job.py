"""A request becomes a job: its event, its commit, its rows, its digest."""

from datetime import timedelta

import pytest

from headgate import pb
from headgate.backfill import dates
from headgate.job import event_log
from headgate.store import commit, keys, queue_entries
from headgate_server.jobs.new_job import KINDS, SubmitContext, body_digest, new_job
from headgate_server.ports.clock import timestamp
from tests.server.world import DAY, backfill, ranges

CHANCE = SubmitContext(1_700_000_000_123, bytes(range(24)))


def test_a_submission_is_the_job_its_event_and_their_commit() -> None:
    made = new_job(backfill(request_id="r", options=pb.JobOptions(labels={"team": "orders"}, priority=3)), CHANCE)

    event = pb.JobEvent.FromString(made.commit.events[0])
    assert event.type == pb.EVENT_TYPE_ACCEPTED and event.revision == 1
    assert event.job == made.job == event_log.fold(None, event)
    assert event.event_time == timestamp(CHANCE.now_ms) == made.job.create_time
    assert (made.job.creator, made.job.priority, dict(made.job.labels)) == ("anonymous", 3, {"team": "orders"})
    assert made.commit.request == commit.RequestRecord(keys.request("anonymous", "r"), made.digest)
    assert made.commit.wake is not None and made.commit.wake.delay_ms == 0
    assert queue_entries.decode(made.commit.wake.entry.definition)["a"] == [keys.job_id(made.job.name)]


def test_a_chosen_id_begins_with_the_kind_and_is_a_good_name() -> None:
    job_ids = {keys.job_id(new_job(backfill(), SubmitContext(0, bytes([n] * 24))).job.name) for n in range(256)}

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
    assert new_job(request_, CHANCE).job.until == until


def test_rows_of_a_create_are_its_dates_and_rows_of_a_start_its_ids() -> None:
    spec = pb.CreateWorkflowInstancesSpec(type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA)
    spec.periods.biz_dates.extend(ranges(DAY + timedelta(days=1), DAY))
    created = new_job(pb.CreateWorkflowInstancesRequest(spec=spec), CHANCE).job.runs
    started = new_job(pb.StartWorkflowInstancesRequest(spec=pb.StartWorkflowInstancesSpec(ids=[9, 4])), CHANCE).job.runs

    assert [dates.from_message(run.biz_date) for run in created] == [DAY, DAY + timedelta(days=1)]
    assert [(run.workflow_instance_id, run.state) for run in started] == [
        (9, pb.RUN_STATE_CREATED),
        (4, pb.RUN_STATE_CREATED),
    ]
    assert {(run.attempt, run.operation_index) for run in (*created, *started)} == {(1, -1)}


def test_times_that_a_caller_gives_win() -> None:
    options = pb.JobOptions(deadline={"seconds": 60}, ttl_after_end={"seconds": 120})  # type: ignore[arg-type]
    given, plain = (new_job(backfill(options=o), CHANCE).job for o in (options, None))

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


@pytest.mark.parametrize("word", ["Rerun", "SetSuccess", "Stop", "Suspend", "Resume"])
def test_rows_of_a_write_about_tasks_are_its_task_instances(word: str) -> None:
    request = getattr(pb, f"{word}TaskInstancesRequest")()
    request.spec.ids.extend([7, 5])
    made = new_job(request, CHANCE).job

    assert [(run.task_instance_id, run.state) for run in made.runs] == [
        (7, pb.RUN_STATE_PLANNED),
        (5, pb.RUN_STATE_PLANNED),
    ]
    assert made.until == pb.UNTIL_FINISHED
