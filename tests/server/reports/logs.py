"""Logs of backfills for the tests of reports: event after event, with the job that they make."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.backfill import dates
from headgate.job import event_log
from headgate_server.reports.history import InstanceHistory
from headgate_server.reports.job_report import report
from headgate_server.reports.sightings import DateSighting, Sightings

FIRST = date(2025, 2, 5)
ACCEPTED_S = 1_739_019_600
NOW_MS = (ACCEPTED_S + 90_000) * 1000


def at(seconds: int) -> Timestamp:
    """So many seconds after the job was accepted."""
    return Timestamp(seconds=ACCEPTED_S + seconds)


class Log:
    """A log that grows, and its job."""

    def __init__(self, days: int = 2, **spec: object) -> None:
        runs = [
            pb.InstanceRun(
                index=n,
                biz_date=dates.to_message(FIRST + timedelta(n)),
                state=pb.RUN_STATE_PLANNED,
                attempt=1,
                operation_index=-1,
            )
            for n in range(days)
        ]
        job = pb.Job(name="jobs/orders-2025", uid="0123456789abcdef", creator="ada", runs=runs)
        job.backfill.MergeFrom(pb.BackfillSpec(project_id=257880, name="orders", **spec))  # type: ignore[arg-type]
        accepted = pb.JobEvent(
            revision=1, type=pb.EVENT_TYPE_ACCEPTED, event_time=at(0), state=pb.JOB_STATE_QUEUED, job=job, actor="ada"
        )
        self.events = [accepted]
        self.job = event_log.fold(None, accepted)
        self.say(pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=pb.JOB_STATE_RUNNING))

    def say(self, event: pb.JobEvent, call: str = "") -> None:
        """Append an event; `call` is the RequestId of the call that led to it."""
        event.revision = self.job.revision + 1
        event.state = event.state or self.job.state
        event.event_time.CopyFrom(at(event.revision))
        event.actor = event.actor or "worker"
        if call:
            event.upstream_call.MergeFrom(pb.UpstreamCall(action="GetWorkflowInstance", upstream_request_id=call))
        self.events.append(event)
        self.job = event_log.fold(self.job, event)

    def run(
        self, index: int, state: pb.RunState.ValueType, instance_id: int = 0, call: str = "", **given: object
    ) -> None:
        """Change a date's row; `given` are members of the row, and without an id it keeps the one that it has."""
        row = pb.InstanceRun()
        row.CopyFrom(self.job.runs[index])
        row.state = state
        row.workflow_instance_id = instance_id or row.workflow_instance_id
        row.MergeFrom(pb.InstanceRun(**given))  # type: ignore[arg-type]
        row.operation_index = 0 if self.job.operations else -1
        self.say(pb.JobEvent(type=pb.EVENT_TYPE_RUN_CHANGED, runs=[row]), call)

    def again(self, index: int) -> None:
        """Begin another attempt at a date."""
        before = self.job.runs[index]
        row = pb.InstanceRun(
            index=index,
            biz_date=before.biz_date,
            state=pb.RUN_STATE_PLANNED,
            attempt=before.attempt + 1,
            operation_index=-1,
        )
        self.say(pb.JobEvent(type=pb.EVENT_TYPE_RETRY_SCHEDULED, runs=[row]))

    def operation(self, outcome: pb.OperationOutcome.ValueType, type: pb.EventType.ValueType, **given: object) -> None:
        """Change the job's only operation."""
        row = pb.UpstreamOperation(action="CreateWorkflowInstances", marker="orders", outcome=outcome, **given)  # type: ignore[arg-type]
        self.say(pb.JobEvent(type=type, operations=[row]))

    def succeed(self, index: int, instance_id: int) -> None:
        """Run a date from its start to its success, for 60 s."""
        self.run(index, pb.RUN_STATE_CREATED, instance_id, upstream_status="NotRun")
        self.run(index, pb.RUN_STATE_RUNNING, started_by=pb.STARTED_BY_HEADGATE, started_time=at(100))
        self.run(
            index, pb.RUN_STATE_SUCCEEDED, finished_time=at(160), upstream_status="Success", call=f"R-{instance_id}"
        )

    def end(self, state: pb.JobState.ValueType = pb.JOB_STATE_SUCCEEDED) -> Log:
        """End the job."""
        self.say(pb.JobEvent(type=pb.EVENT_TYPE_STATE_CHANGED, state=state))
        return self

    def history(self, first: int = 1) -> InstanceHistory:
        """What the log tells from a revision on."""
        history = InstanceHistory()
        for event in self.events[first - 1 :]:
            history.add(event)
        return history

    def report(self, seen: Mapping[int, DateSighting] | None = None) -> pb.JobReport:
        """The report, with what upstream says of each date where it was asked."""
        sightings = None if seen is None else Sightings(seen, NOW_MS - 5_000, NOW_MS, len(seen))
        return report(self.job, self.history(), sightings, now_ms=NOW_MS)


def both_succeeded() -> Log:
    """Two dates that succeeded, as instances 11 and 12."""
    made = Log()
    made.succeed(0, 11)
    made.succeed(1, 12)
    return made.end()


def row(instance_id: int, status: str = "Success", index: int = 0, **given: object) -> pb.WorkflowInstance:
    """An instance as upstream shows it."""
    number = {
        "Success": pb.WORKFLOW_INSTANCE_STATUS_SUCCESS,
        "Failure": pb.WORKFLOW_INSTANCE_STATUS_FAILURE,
        "Running": pb.WORKFLOW_INSTANCE_STATUS_RUNNING,
        "NotRun": pb.WORKFLOW_INSTANCE_STATUS_NOT_RUN,
    }[status]
    found = pb.WorkflowInstance(id=instance_id, name="orders", status=number, status_raw=status)
    found.biz_date.CopyFrom(dates.to_message(FIRST + timedelta(index)))
    found.MergeFrom(pb.WorkflowInstance(**given))  # type: ignore[arg-type]
    return found


def seen(*rows: pb.WorkflowInstance) -> dict[int, DateSighting]:
    """What upstream says of the dates of these instances, each of which was wholly read."""
    found: dict[int, dict[int, pb.WorkflowInstance]] = {}
    for one in rows:
        index = (dates.from_message(one.biz_date) - FIRST).days
        found.setdefault(index, {})[one.id] = one
    return {index: DateSighting(instances) for index, instances in found.items()}


def kinds(made: pb.JobReport) -> list[str]:
    """The kinds of the objections, in order."""
    names = [pb.ObjectionKind.Name(one.kind).removeprefix("OBJECTION_KIND_") for one in made.statement.objections]
    assert made.statement.holds is not bool(names)
    return names
