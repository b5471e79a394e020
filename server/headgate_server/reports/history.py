"""The instances of each date by a job's log, event by event. No event is kept, so that a long log costs time only.

One rule: the last row of an instance is what the log knows of it; a row with another id or attempt is another instance.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from headgate import pb

MOST_INSTANCES: Final = 100
"""Most instances of one date that a report shows, the last ones."""

MOST_NOTES: Final = 200
"""Most notes that a report shows, the last ones."""

MOST_CALLS: Final = 8
"""Most calls that a report shows of one instance: the first half and the last half of so many."""

_NOTED: Final = frozenset(
    {
        pb.EVENT_TYPE_RECONCILED,
        pb.EVENT_TYPE_CANCEL_REQUESTED,
        pb.EVENT_TYPE_PAUSE_REQUESTED,
        pb.EVENT_TYPE_RESUME_REQUESTED,
        pb.EVENT_TYPE_RETRY_REQUESTED,
        pb.EVENT_TYPE_RESOLVED,
        pb.EVENT_TYPE_UPDATED,
        pb.EVENT_TYPE_WARNING,
    }
)
_DOUBTS: Final = frozenset({pb.EVENT_TYPE_RECONCILED, pb.EVENT_TYPE_RESOLVED})
_UNTOUCHED: Final = frozenset({pb.RUN_STATE_PLANNED, pb.RUN_STATE_UNSPECIFIED})


class InstanceHistory:
    """The instances by the log so far. `add` takes its events in order."""

    def __init__(self) -> None:
        self._dates: dict[int, list[pb.ReportInstance]] = {}
        self._rows: dict[int, pb.InstanceRun] = {}
        self._notes: deque[pb.ReportNote] = deque(maxlen=MOST_NOTES)
        self._noted = 0
        self.doubted: set[int] = set()
        """Indexes of operations whose reply was lost at some time, or that a search or a person has decided."""
        self.revision = 0
        """Of the last event."""
        self.gaps: list[str] = []
        """What of the log could not be read, in words."""

    def add(self, event: pb.JobEvent) -> None:
        """Take the next event in."""
        self.revision = event.revision
        for run in event.job.runs if event.type == pb.EVENT_TYPE_ACCEPTED else event.runs:
            self._rows.setdefault(run.index, pb.InstanceRun()).CopyFrom(run)
            self._take(run, event.upstream_call)
        for operation in event.operations:
            if operation.outcome == pb.OPERATION_OUTCOME_AMBIGUOUS or event.type in _DOUBTS:
                self.doubted.add(operation.index)
        if event.type in _NOTED:
            self._noted += 1
            self._notes.append(_note(event))

    def complete(self, runs: Iterable[pb.InstanceRun]) -> None:
        """Take in the rows of the job itself, where the log does not reach back to its beginning."""
        for run in runs:
            if run.index not in self._rows:
                self._take(run, pb.UpstreamCall())

    def instances(self, index: int) -> Sequence[pb.ReportInstance]:
        """The instances of a row, in order of attempts."""
        return self._dates.get(index, [])

    def differs(self, run: pb.InstanceRun) -> bool:
        """Whether the job's row says something else than the last one of the log."""
        row = self._rows.get(run.index)
        return row is not None and row != run

    @property
    def notes(self) -> Sequence[pb.ReportNote]:
        """What a person should know, oldest first."""
        return list(self._notes)

    @property
    def notes_omitted(self) -> int:
        """How many notes are not in `notes`."""
        return self._noted - len(self._notes)

    def _take(self, run: pb.InstanceRun, call: pb.UpstreamCall) -> None:
        if run.state in _UNTOUCHED and not run.workflow_instance_id:
            return
        told = self._dates.setdefault(run.index, [])
        if not told or not _is_same(told[-1], run):
            told.append(pb.ReportInstance())
            del told[:-MOST_INSTANCES]
        _fill(told[-1], run)
        if call.upstream_request_id:
            told[-1].upstream_calls.add(action=call.action, upstream_request_id=call.upstream_request_id)
            if len(told[-1].upstream_calls) > MOST_CALLS:
                del told[-1].upstream_calls[MOST_CALLS // 2]


def _is_same(told: pb.ReportInstance, run: pb.InstanceRun) -> bool:
    return told.attempt == run.attempt and told.workflow_instance_id in (0, run.workflow_instance_id)


def _fill(told: pb.ReportInstance, run: pb.InstanceRun) -> None:
    told.MergeFrom(
        pb.ReportInstance(
            workflow_instance_id=run.workflow_instance_id,
            attempt=run.attempt,
            failed_task=run.failure_digest.task_name,
        )
    )
    told.state, told.upstream_status = run.state, run.upstream_status
    told.started_by, told.stopped_by, told.stopped_by_job = run.started_by, run.stopped_by, run.stopped_by_job
    told.operation_index = run.operation_index
    told.dry_run_tasks[:] = run.dry_run_tasks
    for field in ("started_time", "finished_time", "error"):
        told.ClearField(field)
        if run.HasField(field):
            getattr(told, field).CopyFrom(getattr(run, field))
    told.ClearField("took")
    took_ns = run.finished_time.ToNanoseconds() - run.started_time.ToNanoseconds()
    if run.HasField("started_time") and run.HasField("finished_time") and took_ns >= 0:
        told.took.FromNanoseconds(took_ns)


def _note(event: pb.JobEvent) -> pb.ReportNote:
    said = event.message or event.error.message or event.cancel.reason
    return pb.ReportNote(
        revision=event.revision, event_time=event.event_time, type=event.type, actor=event.actor, message=said
    )
