"""Which events pass a filter of jobs: those of a job that passes before the event or after it.

What a filter asks about is either fixed when the job is accepted or said by every event, so a small card per job is
enough. Cards are kept for the jobs heard of last; another job's is made from the store.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Protocol

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate_server.errors.exceptions import JobDamaged
from headgate_server.ports.feed import Entry
from headgate_server.ports.jobs import Page
from headgate_server.requests.filters import Filter

MAX_CARDS: Final = 4_096
"""Most jobs that a watcher keeps a card of."""


class Logs(Protocol):
    """Port: reads logs."""

    async def read_log(self, job_id: str, *, first: int, count: int, with_job: bool = False) -> Page | None:
        """A part of a log with the state it belongs to; None when there is no such job."""


class Sieve:
    """The events that one watcher of all jobs wants.

    Args:
        wanted: the filter; None lets everything pass.
        logs: where jobs are read that no card is kept of.
        size: most cards.
    """

    def __init__(self, wanted: Filter | None, logs: Logs, *, size: int = MAX_CARDS) -> None:
        self._wanted = wanted
        self._logs = logs
        self._size = size
        self._cards: OrderedDict[str, pb.Job] = OrderedDict()

    def passes_job(self, job_id: str, body: bytes) -> bool:
        """Whether a job passes as it stands; its card is kept."""
        if self._wanted is None:
            return True
        job = pb.Job.FromString(body)
        self._keep(job_id, card_of(job))
        return self._wanted.passes(job)

    async def passes(self, entry: Entry) -> bool:
        """Whether an event is wanted."""
        if self._wanted is None:
            return True
        event = pb.JobEvent.FromString(entry.event)
        card = await self._before(entry, event)
        if card is None:
            return False
        passed = entry.revision > 1 and self._wanted.passes(card)
        turn(card, event)
        self._keep(entry.job_id, card)
        return passed or self._wanted.passes(card)

    def forget(self, job_id: str) -> None:
        """Drop the card of a job that was deleted."""
        self._cards.pop(job_id, None)

    async def _before(self, entry: Entry, event: pb.JobEvent) -> pb.Job | None:
        if event.type == pb.EVENT_TYPE_ACCEPTED:
            return card_of(event.job)
        card = self._cards.get(entry.job_id)
        if card is not None and card.revision == entry.revision - 1:
            return card
        try:
            page = await self._logs.read_log(entry.job_id, first=entry.revision - 1, count=2, with_job=True)
        except JobDamaged:
            return None
        if page is None or page.unreadable or page.events[-1:] != (entry.event,):
            return None  # the job is gone; if another one has its id, that one's card says nothing about this event
        card = card_of(pb.Job.FromString(page.job))
        turn(card, pb.JobEvent.FromString(page.events[0]))
        return card

    def _keep(self, job_id: str, card: pb.Job) -> None:
        self._cards[job_id] = card
        self._cards.move_to_end(job_id)
        if len(self._cards) > self._size:
            self._cards.popitem(last=False)


def card_of(job: pb.Job) -> pb.Job:
    """What filters ask about, and nothing else of a job."""
    card = pb.Job(
        revision=job.revision,
        state=job.state,
        connection=job.connection,
        labels=job.labels,
        creator=job.creator,
        priority=job.priority,
    )
    for name in ("create_time", "update_time", "end_time"):
        if job.HasField(name):
            getattr(card, name).CopyFrom(getattr(job, name))
    _set_spec(card, job)
    return card


def turn(card: pb.Job, event: pb.JobEvent) -> None:
    """Make a card say what it says after an event."""
    card.revision = event.revision
    card.state = event.state
    card.update_time.CopyFrom(event.event_time)
    if event.state not in JOB_TERMINAL:
        card.ClearField("end_time")
    elif not card.HasField("end_time"):
        card.end_time.CopyFrom(event.event_time)


def _set_spec(card: pb.Job, job: pb.Job) -> None:
    kind = job.WhichOneof("spec")
    if kind is None:
        return
    spec, mine = getattr(job, kind), getattr(card, kind)
    mine.SetInParent()
    if "project_id" in spec.DESCRIPTOR.fields_by_name:
        mine.project_id = spec.project_id
