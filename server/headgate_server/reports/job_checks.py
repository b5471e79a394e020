"""CheckJobs: the self-check of one job, or of the next ones on a walk over everything that the store has.

The walk goes over the index of all jobs first, then over the jobs that stand in no index. A page ends early when much
was read for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from headgate import pb
from headgate.check import self_check
from headgate.check.self_check import CheckReads, JobCheck
from headgate.reasons import Reason
from headgate.store import keys
from headgate_server.auth import permissions
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.job_errors import unknown_job
from headgate_server.ports.caller import Caller

PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 200
MAX_PAGE_EVENTS: Final = 20_000
"""About how many events one call reads; folding them takes some seconds."""

_LISTED, _UNLISTED = "i", "s"


class JobChecks(CheckReads, Protocol):
    """Port: reads for checks, and the jobs that stand in no index."""

    async def unlisted(self, cursor: int) -> tuple[int, Sequence[str]]:
        """The next jobs that are there and in no index of all jobs, and where to go on; 0 at the end."""


class JobWalk(Protocol):
    """Port: walks the index of all jobs, and reads their connections."""

    async def walk(self, index: str, *, after: int, newest_first: bool, count: int) -> list[tuple[str, int]]:
        """Ids and acceptance numbers of the next jobs."""

    async def connections_of(self, job_ids: Sequence[str]) -> list[str | None]:
        """Their connections; None for each whose connection stands only in the job itself, or nowhere."""


class JobChecker:
    """Checks jobs."""

    def __init__(self, reads: JobChecks, index: JobWalk) -> None:
        self._reads = reads
        self._index = index

    async def check(self, request: pb.CheckJobsRequest, caller: Caller) -> pb.CheckJobsResponse:
        """What a checked request asks for, of the jobs that the caller may see.

        What can't be read may belong to any connection, and is shown to callers of all of them.

        Raises:
            Refused: JOB_DENIED, JOB_UNKNOWN or PAGE_TOKEN_INVALID.
            StoreUnavailable: the store can't be read.
        """
        if not request.name:
            return await self._page(request, caller)
        job_id = keys.job_id(request.name)
        if not await self._seen([job_id], caller):
            raise permissions.denied_job(job_id)
        found = await self_check.check(self._reads, job_id)
        if not found.exists and not found.findings:
            raise unknown_job(job_id)
        page = pb.CheckJobsResponse()
        _tell(page, job_id, found)
        return page

    async def _page(self, request: pb.CheckJobsRequest, caller: Caller) -> pb.CheckJobsResponse:
        page, events = pb.CheckJobsResponse(), 0
        size = min(request.page_size or PAGE_SIZE, MAX_PAGE_SIZE)
        stage, at = _place(request.page_token)
        while stage and page.checked < size and events < MAX_PAGE_EVENTS:
            stage, at, ids = await self._next(stage, at, size - page.checked)
            for job_id in await self._seen(ids, caller):
                found = await self_check.check(self._reads, job_id)
                _tell(page, job_id, found)
                events += found.events
        page.next_page_token = f"{stage}{at}" if stage else ""
        return page

    async def _seen(self, ids: Sequence[str], caller: Caller) -> Sequence[str]:
        """Those of the jobs that the caller may see."""
        if caller.connections is None or not ids:
            return ids
        names = await self._index.connections_of(ids)
        both = zip(ids, names, strict=True)
        return [job_id for job_id, name in both if name is not None and caller.may_use(name)]

    async def _next(self, stage: str, at: int, most: int) -> tuple[str, int, Sequence[str]]:
        if stage == _LISTED:
            count = min(most, 8)  # few at a time, so that a page of large jobs ends early
            rows = await self._index.walk(keys.JOBS, after=at, newest_first=False, count=count)
            ids = [job_id for job_id, _ in rows]
            return (_LISTED, rows[-1][1], ids) if len(rows) == count else (_UNLISTED, 0, ids)
        following, unlisted = await self._reads.unlisted(at)
        return (_UNLISTED if following else "", following, unlisted)


def _place(token: str) -> tuple[str, int]:
    if not token:
        return _LISTED, 0
    if token[0] not in (_LISTED, _UNLISTED) or not token[1:].isdigit() or len(token) > 21:
        raise Refused(Reason.PAGE_TOKEN_INVALID, "page_token can't be read; start again without it")
    return token[0], int(token[1:])


def _tell(page: pb.CheckJobsResponse, job_id: str, found: JobCheck) -> None:
    page.checked += found.exists
    name = keys.job_name(job_id)
    for one in found.findings:
        page.findings.add(job=name, subject=one.subject, description=one.said)
