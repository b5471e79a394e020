"""Which events pass a filter of jobs: those of a job that passes before the event or after it.

What a filter asks about is fixed at acceptance, or stands in every event, or in the UPDATED that changes it, so a small
summary per job is enough. Summaries are kept of the jobs with the latest events; others are made from the store.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Protocol

from headgate import pb
from headgate.job import job_update
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.messages.feed_entries import FeedEntry
from headgate.messages.filters import Filter
from headgate_server.errors.exceptions import JobDamaged
from headgate_server.ports.jobs import LogPage

MAX_SUMMARIES: Final = 4_096
"""Most jobs that a watcher keeps a summary of."""


class FilteredLogs(Protocol):
    """Port: reads logs."""

    async def read_log(self, job_id: str, *, first: int, count: int, with_job: bool = False) -> LogPage | None:
        """A part of a log with the state it belongs to; None when there is no such job."""


class FeedFilter:
    """The events that one watcher of all jobs wants.

    Args:
        wanted: the filter; None lets everything pass.
        logs: where jobs are read that no summary is kept of.
        size: most summaries.
    """

    def __init__(self, wanted: Filter | None, logs: FilteredLogs, *, size: int = MAX_SUMMARIES) -> None:
        self._wanted = wanted
        self._logs = logs
        self._size = size
        self._summaries: OrderedDict[str, pb.Job] = OrderedDict()

    def passes_job(self, job_id: str, body: bytes) -> bool:
        """Whether a job passes as it stands; its summary is kept."""
        if self._wanted is None:
            return True
        job = pb.Job.FromString(body)
        self._keep(job_id, summary_of(job))
        return self._wanted.passes(job)

    async def passes(self, entry: FeedEntry) -> bool:
        """Whether an event is wanted."""
        if self._wanted is None:
            return True
        event = pb.JobEvent.FromString(entry.event)
        summary = await self._before(entry, event)
        if summary is None:
            return False
        passed = entry.revision > 1 and self._wanted.passes(summary)
        apply_event(summary, event)
        self._keep(entry.job_id, summary)
        return passed or self._wanted.passes(summary)

    def forget(self, job_id: str) -> None:
        """Drop the summary of a job that was deleted."""
        self._summaries.pop(job_id, None)

    async def _before(self, entry: FeedEntry, event: pb.JobEvent) -> pb.Job | None:
        if event.type == pb.EVENT_TYPE_ACCEPTED:
            return summary_of(event.job)
        summary = self._summaries.get(entry.job_id)
        if summary is not None and summary.revision == entry.revision - 1:
            return summary
        try:
            page = await self._logs.read_log(entry.job_id, first=entry.revision - 1, count=2, with_job=True)
        except JobDamaged:
            return None
        if page is None or page.unreadable or page.events[-1:] != (entry.event,):
            return None  # the job is gone; if another one has its id, that one's summary says nothing about this event
        summary = summary_of(pb.Job.FromString(page.job))
        apply_event(summary, pb.JobEvent.FromString(page.events[0]))
        if event.type == pb.EVENT_TYPE_UPDATED:
            job_update.revert(event.update, summary)
        return summary

    def _keep(self, job_id: str, summary: pb.Job) -> None:
        self._summaries[job_id] = summary
        self._summaries.move_to_end(job_id)
        if len(self._summaries) > self._size:
            self._summaries.popitem(last=False)


def summary_of(job: pb.Job) -> pb.Job:
    """What filters ask about, and nothing else of a job."""
    summary = pb.Job(
        revision=job.revision,
        state=job.state,
        connection=job.connection,
        labels=job.labels,
        creator=job.creator,
        priority=job.priority,
    )
    for name in ("create_time", "update_time", "end_time"):
        if job.HasField(name):
            getattr(summary, name).CopyFrom(getattr(job, name))
    _set_spec(summary, job)
    return summary


def apply_event(summary: pb.Job, event: pb.JobEvent) -> None:
    """Make a summary say what it says after an event."""
    summary.revision = event.revision
    summary.state = event.state
    summary.update_time.CopyFrom(event.event_time)
    if event.type == pb.EVENT_TYPE_UPDATED:
        job_update.apply(event.update, summary)
    if event.state not in JOB_TERMINAL:
        summary.ClearField("end_time")
    elif not summary.HasField("end_time"):
        summary.end_time.CopyFrom(event.event_time)


def _set_spec(summary: pb.Job, job: pb.Job) -> None:
    kind = job.WhichOneof("spec")
    if kind is None:
        return
    spec, mine = getattr(job, kind), getattr(summary, kind)
    mine.SetInParent()
    if "project_id" in spec.DESCRIPTOR.fields_by_name:
        mine.project_id = spec.project_id
