"""Asks upstream about every date of a backfill, by workers: a search for its name, and a read of what that left out.

The reads go through the read lane, inside the quota and the caller's share, a few at a time. What passes is waited
out: a quota that is used up, a worker that is away. What does not pass goes into the row of its date. The caller
ends it all by cancelling.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from google.rpc.code_pb2 import NOT_FOUND
from google.rpc.status_pb2 import Status

from headgate import pb
from headgate.backfill import marker, reprocess
from headgate_server.errors import status
from headgate_server.errors.exceptions import ServerError
from headgate_server.ports.call import Call
from headgate_server.ports.clock import StoreTime
from headgate_server.ports.reads import UpstreamReads
from headgate_server.reports.sightings import DateSighting, Sightings

SIDE_BY_SIDE: Final = 4
"""Most reads of one verification that are open."""

PAGE: Final = 200
MOST_PAGES: Final = 10
"""Rows of a page, and pages of a date: upstream's filter is fuzzy, so that longer names show up too."""

LEAST_WAIT: Final = 0.5
MOST_WAIT: Final = 30.0
"""Seconds before a read that may succeed later is asked for again."""

PATIENCE_SECONDS: Final = 90.0
"""How long no read may be answered before all that is left is given up."""

MOST_REFUSALS: Final = 5
"""After so many dates in a row that can't be read, all that is left is given up."""


@dataclass(frozen=True, slots=True)
class DateQuestion:
    """What is to be asked about a date.

    Args:
        run: the date's row.
        ids: the instances of it that the job knows.
    """

    run: pb.InstanceRun
    ids: frozenset[int]


@dataclass(slots=True)
class VerificationProgress:
    """How far a verification has come, for its progress messages.

    Args:
        total: dates that are to be verified.
        done: dates that are done with.
        reads: reads that were answered.
        waiting_for: why nothing moves just now; empty while it moves.
    """

    total: int
    done: int = 0
    reads: int = 0
    waiting_for: str = ""
    answered_at: float = field(default=0.0)


class _NotRead(Exception):
    """A read has failed for good.

    Args:
        found: how.
    """

    def __init__(self, found: Status) -> None:
        super().__init__(found.message)
        self.found = found

    def __str__(self) -> str:
        return f"{status.reason_of(self.found) or 'the read failed'}: {self.found.message}"


class Verifier:
    """Makes verifications."""

    def __init__(self, reads: UpstreamReads, clock: StoreTime) -> None:
        self._reads = reads
        self._clock = clock

    async def verify(
        self, job: pb.Job, questions: list[DateQuestion], call: Call, pace: VerificationProgress, until: float
    ) -> Sightings:
        """What upstream says of the dates; of those that there was no time for, nothing.

        Args:
            job: the backfill.
            questions: a date each.
            call: who asks.
            pace: is kept up to date.
            until: when it ends, by the loop's clock.
        """
        start_ms = self._clock.now_ms()
        found: dict[int, DateSighting] = {}
        pace.answered_at = asyncio.get_running_loop().time()
        rest = iter(questions)
        one = _Verification(self._reads, job, call, pace, until)
        async with asyncio.TaskGroup() as group:
            for _ in range(SIDE_BY_SIDE):
                group.create_task(one.work(rest, found))
        return Sightings(found, start_ms, self._clock.now_ms(), pace.reads)


class _Verification:
    """One verification under way."""

    def __init__(self, reads: UpstreamReads, job: pb.Job, call: Call, pace: VerificationProgress, until: float) -> None:
        self._reads = reads
        self._job = job
        self._call = call
        self._pace = pace
        self._until = until
        self._refusals = 0
        self._given_up: _NotRead | None = None

    async def work(self, rest: Iterator[DateQuestion], found: dict[int, DateSighting]) -> None:
        """Ask about one date after the other, until there is none or the time is over."""
        for question in rest:
            if self._left() <= 0:
                return
            try:
                found[question.run.index] = await self._date(question)
            except _NotRead as failed:
                found[question.run.index] = DateSighting(error=str(failed))
            self._pace.done += 1

    async def _date(self, question: DateQuestion) -> DateSighting:
        if self._given_up is not None:
            raise self._given_up
        rows = await self._search(question.run)
        gone: set[int] = set()
        for instance_id in sorted(question.ids - rows.keys()):
            row = await self._instance(instance_id)
            if row is None:
                gone.add(instance_id)
            else:
                rows[instance_id] = row
        return DateSighting(rows, frozenset(gone))

    async def _search(self, run: pb.InstanceRun) -> dict[int, pb.WorkflowInstance]:
        """The instances of the backfill's name and of a date."""
        spec = self._job.backfill
        request = pb.ListWorkflowInstancesRequest(
            project_id=spec.project_id,
            biz_dates=[pb.DateRange(start_biz_date=run.biz_date, end_biz_date=run.biz_date)],
            name=marker.stem(spec.name),
            type=pb.WORKFLOW_INSTANCE_TYPE_SUPPLEMENT_DATA,
            env_type=spec.env_type,
            page_size=PAGE,
            connection=self._job.connection,
        )
        rows: dict[int, pb.WorkflowInstance] = {}
        for _ in range(MOST_PAGES):
            raw = await self._asked(lambda: self._reads.ask("ListWorkflowInstances", request, self._call))
            page = pb.ListWorkflowInstancesResponse.FromString(raw)
            rows.update({row.id: row for row in page.workflow_instances if reprocess.counts(spec, row)})
            if not page.next_page_token:
                return rows
            request.page_token = page.next_page_token
        raise _NotRead(Status(message=f"more than {PAGE * MOST_PAGES:,} instances of similar names"))

    async def _instance(self, instance_id: int) -> pb.WorkflowInstance | None:
        """An instance as it is now; None where upstream has none of that id."""
        request = pb.GetWorkflowInstanceRequest(id=instance_id, connection=self._job.connection)
        try:
            raw = await self._asked(lambda: self._reads.ask("GetWorkflowInstance", request, self._call))
        except _NotRead as failed:
            if failed.found.code == NOT_FOUND:
                return None
            raise
        return pb.WorkflowInstance.FromString(raw)

    async def _asked(self, ask: Callable[[], Awaitable[bytes]]) -> bytes:
        """An answer, as soon as there is one; what passes is waited out."""
        while True:
            try:
                async with asyncio.timeout_at(self._until):
                    raw = await ask()
            except TimeoutError:
                raise _NotRead(Status(message="the time for the report was over")) from None
            except ServerError as error:
                await self._wait(error)
                continue
            self._pace.reads += 1
            self._pace.waiting_for = ""
            self._refusals = 0
            self._pace.answered_at = asyncio.get_running_loop().time()
            return raw

    async def _wait(self, error: ServerError) -> None:
        """Wait until a read may succeed that has failed.

        Raises:
            _NotRead: it would not, or not within the time that is left.
        """
        found = status.translate(error)
        if found is None:
            raise error
        seconds = max(LEAST_WAIT, status.retry_ms(found) / 1000)
        silent = asyncio.get_running_loop().time() - self._pace.answered_at
        if not status.is_passing(found):
            self._refusals += found.code != NOT_FOUND
            raise self._failed(found, for_all=self._refusals >= MOST_REFUSALS)
        if seconds >= self._left() or silent > PATIENCE_SECONDS:
            raise self._failed(found, for_all=True)
        self._pace.waiting_for = str(_NotRead(found))
        await asyncio.sleep(min(seconds, MOST_WAIT))

    def _failed(self, found: Status, *, for_all: bool) -> _NotRead:
        failed = _NotRead(found)
        if for_all:
            self._given_up = failed
        return failed

    def _left(self) -> float:
        return self._until - asyncio.get_running_loop().time()


def questions(job: pb.Job, ids: Mapping[int, frozenset[int]]) -> list[DateQuestion]:
    """A question for each date of the job.

    Args:
        job: the backfill.
        ids: the instances that the log knows, by the index of their row.
    """
    return [DateQuestion(run, ids.get(run.index, frozenset())) for run in job.runs]
