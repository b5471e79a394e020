"""Callers who steer the job through a server, and operators at the console behind our back."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from headgate import pb
from headgate.backfill import dates
from headgate.job import event_log
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import date_claims, queue_entries
from headgate.store.commit import Commit, Committed, Wake
from headgate_server.jobs import resolve, update
from headgate_worker.core.model.steps import timestamp
from tests.simulator.chance import Chance
from tests.simulator.store import ModelStore
from tests.simulator.timeline import Action, Timeline
from tests.simulator.upstream import FOREIGN_USER, NOT_RUN, OWN_USER, RUNNING, ModelUpstream

_OPEN = (pb.OPERATION_OUTCOME_INTENDED, pb.OPERATION_OUTCOME_AMBIGUOUS)
_RUNNING = pb.JOB_STATE_RUNNING
_ENTRY = queue_entries.tick("simulated", nonce="1", now_ms=0)


class Callers:
    """Everybody but the workers."""

    def __init__(self, timeline: Timeline, chance: Chance, store: ModelStore, upstream: ModelUpstream) -> None:
        self._timeline = timeline
        self._chance = chance
        self._store = store
        self._upstream = upstream
        self._calls = 0
        self._at_call: dict[int, Action] = {}

    def arrive(self) -> None:
        """Set when each of them comes."""
        chance, soonest = self._chance, self._chance.pick((1_000, 20_000, 300_000))
        if chance.happens(0.3):
            mode = chance.pick((pb.CANCEL_MODE_STOP, pb.CANCEL_MODE_STOP, pb.CANCEL_MODE_DRAIN, pb.CANCEL_MODE_DETACH))
            self._come(soonest, lambda: self.cancel(mode))
        if chance.happens(0.25):
            self._come(soonest, self.pause)
        if chance.happens(0.25):
            for _ in range(chance.between(1, 3)):
                self._come(soonest, self.update)
        if chance.happens(0.5):
            self._timeline.at(chance.quiet_after_ms + 500_000, self.resolve)
        if chance.happens(chance.profile.operators):
            for _ in range(chance.between(1, 4)):
                self._timeline.after(chance.between(0, soonest * 2), self.operate)

    def _come(self, soonest_ms: int, wish: Action) -> None:
        """Let a caller come at any time, or in the middle of what a worker does for the job."""
        if self._chance.happens(0.5):
            self._timeline.after(self._chance.between(0, soonest_ms), wish)
        else:
            self._at_call[self._chance.between(1, 12)] = wish

    def called(self) -> None:
        """A worker makes a call: whoever waited for that comes now."""
        self._calls += 1
        wish = self._at_call.pop(self._calls, None)
        if wish is not None:
            self._timeline.after(self._chance.between(0, 20), wish)

    def waited(self, wait_ms: int) -> None:
        """A worker waits for its slot with a decided call in hand: the worst moment for whoever is still to come."""
        if self._at_call and self._chance.happens(0.3):
            _, wish = self._at_call.popitem()
            self._timeline.after(self._chance.between(0, wait_ms), wish)

    def cancel(self, mode: pb.CancelMode.ValueType) -> None:
        """CancelJob."""
        job = self._store.record.job
        if job.state in JOB_TERMINAL or job.state == pb.JOB_STATE_CANCELLING:
            return
        record = pb.CancelRecord(actor="caller", reason="enough", mode=mode, request_time=self._now())
        self._commit(pb.EVENT_TYPE_CANCEL_REQUESTED, pb.JOB_STATE_CANCELLING, cancel=record)

    def pause(self) -> None:
        """PauseJob."""
        if self._store.record.job.state in (pb.JOB_STATE_QUEUED, _RUNNING):
            self._commit(pb.EVENT_TYPE_PAUSE_REQUESTED, pb.JOB_STATE_PAUSED)
            if self._chance.happens(0.8):
                self._timeline.after(self._chance.between(1, 120_000), self.resume)

    def resume(self) -> None:
        """ResumeJob."""
        if self._store.record.job.state == pb.JOB_STATE_PAUSED:
            waits = date_claims.waits(self._store.record.job)
            self._commit(pb.EVENT_TYPE_RESUME_REQUESTED, pb.JOB_STATE_QUEUED if waits else _RUNNING)

    def update(self) -> None:
        """UpdateJob, of what steers the worker, decided by the server's own rules."""
        job, chance = self._store.record.job, self._chance
        if job.state in JOB_TERMINAL:
            return
        wanted = pb.UpdateJobRequest(job=pb.Job(name=job.name, priority=chance.between(0, 9)))
        if job.WhichOneof("spec") == "backfill":
            spec = wanted.job.backfill
            spec.default_run_properties.parallelism = chance.between(1, 4)
            spec.max_attempts_per_date = chance.between(1, 3)
            spec.on_failure = chance.pick((pb.ON_FAILURE_HALT, pb.ON_FAILURE_CONTINUE, pb.ON_FAILURE_DRAIN))
        event = update.update(job, wanted, "caller", self._timeline.now_ms)
        if event is not None:
            self.commit_event(event)

    def resolve(self) -> None:
        """ResolveJob, by a person who knows what really happened."""
        job = self._store.record.job
        unknown = [op for op in job.operations if op.outcome in _OPEN]
        if job.state != pb.JOB_STATE_NEEDS_ATTENTION or not unknown:
            return
        row = pb.UpstreamOperation()
        row.CopyFrom(unknown[0])
        if any(run.task_instance_id for run in job.runs):
            self._resolve_tasks(job, row)
            return
        ids = self._made_by(row)
        row.outcome = pb.OPERATION_OUTCOME_CONFIRMED if ids else pb.OPERATION_OUTCOME_NOT_SENT
        row.workflow_instance_ids.extend(ids)
        state = pb.JOB_STATE_CANCELLING if job.HasField("cancel") else _RUNNING
        event = pb.JobEvent(
            revision=job.revision + 1, type=pb.EVENT_TYPE_RESOLVED, state=state, operations=[row], actor="caller"
        )
        event.event_time.CopyFrom(self._now())
        self.commit_event(event)

    def _resolve_tasks(self, job: pb.Job, row: pb.UpstreamOperation) -> None:
        named = {run.task_instance_id for run in job.runs if run.operation_index == row.index}
        executed = any(row.action in self._upstream.instances[one].written for one in named)
        resolution = pb.RESOLUTION_EXECUTED if executed else pb.RESOLUTION_NOT_EXECUTED
        request = pb.ResolveJobRequest(resolution=resolution, operation_index=row.index)
        self.commit_event(resolve.resolve(job, request, "caller", self._timeline.now_ms))

    def _made_by(self, operation: pb.UpstreamOperation) -> list[int]:
        known = {one for op in self._store.record.job.operations for one in op.workflow_instance_ids}
        days = set(dates.walk(operation.biz_dates))
        return [
            one.id
            for one in self._upstream.instances.values()
            if one.operation not in ("", "before") and one.id not in known and (not days or one.day in days)
        ]

    def operate(self) -> None:
        """Start, stop or rerun something in the console."""
        mine = [one for one in self._upstream.instances.values() if one.operation]
        if not mine:
            return
        one = self._chance.pick(mine)
        one.touched = True
        one.modify_user = self._chance.pick((OWN_USER, FOREIGN_USER))
        if one.status == RUNNING:
            self._upstream.halt(one)
        elif one.status == NOT_RUN or self._chance.happens(0.5):
            self._upstream.begin(one, "operator")

    def _commit(
        self, kind: pb.EventType.ValueType, state: pb.JobState.ValueType, cancel: pb.CancelRecord | None = None
    ) -> None:
        job = self._store.record.job
        event = pb.JobEvent(revision=job.revision + 1, type=kind, state=state, actor="caller", cancel=cancel)
        event.event_time.CopyFrom(self._now())
        self.commit_event(event)

    def commit_event(self, event: pb.JobEvent) -> None:
        """Commit one event as a server does, and ring."""
        job = self._store.record.job
        change = Commit(
            before=job.state,
            job=event_log.fold(job, event),
            expected_revision=job.revision,
            events=(event.SerializeToString(deterministic=True),),
            wake=Wake(_ENTRY),
        )
        assert isinstance(self._store.commit(change), Committed)

    def _now(self) -> Timestamp:
        return timestamp(self._timeline.now_ms)
