"""One page of a list of jobs: walk an index in order of acceptance, ask the filter, stop when the page is full.

The order never changes, and a page token says where the walk stands, so every job that is there all the time is shown
exactly once. A page ends early when it has become large or has passed many jobs that do not match; the token goes on.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from headgate import pb
from headgate.messages import filters, views
from headgate.reasons import Reason
from headgate.store import keys
from headgate_server.auth import permissions
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.status import bad_request
from headgate_server.jobs.job_groups import JobGroups, Row
from headgate_server.ports.call import Call
from headgate_server.ports.jobs import Found, Index, StoredJob

PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 200
MAX_PAGE_BYTES: Final = 1024 * 1024
"""About how large a page becomes; by default clients refuse messages of more than 4 MiB."""

MAX_WALKED: Final = 2_000
"""Most jobs that one call looks at."""

MAX_READ_BYTES: Final = 64 * 1024 * 1024
"""About how many bytes of jobs one call reads from the store, in groups."""

_ORDERS: Final = {"": True, "create_time desc": True, "create_time": False, "create_time asc": False}
"""Whether each order has the newest first."""


@dataclass(slots=True)
class _Page:
    size: int
    after: int
    max_bytes: int
    view: pb.JobView.ValueType
    jobs: list[pb.Job] = field(default_factory=list)
    walked: int = 0
    bytes: int = 0
    is_full: bool = False

    def count(self, most: int) -> int:
        """How many jobs to look at next: no more than there is room for, as long as every one is wanted."""
        return most if self.walked > len(self.jobs) else min(most, self.size - len(self.jobs))

    def take(self, rows: Sequence[Row], wanted: filters.Filter) -> None:
        """Take the next jobs, as many as there is room for."""
        for number, stored in rows:
            shown = self._shown(stored, wanted)
            size = shown.ByteSize() if shown is not None else 0
            self.is_full = bool(self.jobs) and self.bytes + size > self.max_bytes
            if self.is_full:
                return
            self.after, self.walked, self.bytes = number, self.walked + 1, self.bytes + size
            self.jobs += [shown] if shown is not None else []
            self.is_full = len(self.jobs) >= self.size or self.walked >= MAX_WALKED
            if self.is_full:
                return

    def _shown(self, stored: StoredJob | None, wanted: filters.Filter) -> pb.Job | None:
        if stored is None or not wanted.passes(stored.job):
            return None
        if self.view != pb.JOB_VIEW_FULL:
            views.strip(stored.job)
        return stored.job


async def list_jobs(
    index: Index, request: pb.ListJobsRequest, call: Call, *, max_bytes: int = MAX_PAGE_BYTES
) -> pb.ListJobsResponse:
    """The page that a checked request asks for.

    Args:
        index: where the jobs are.
        request: what was asked.
        call: says who asks; jobs that it may not see are passed by, and so are those that can't be read.
        max_bytes: a page ends before the job that would make it larger than this, but has one at least.

    Raises:
        Refused: the filter or the order can't be read, or the token can't be read or belongs to other arguments.
    """
    wanted, newest_first = permissions.seen_by(call.caller, read_filter(request.filter)), _order(request.order_by)
    page = _Page(_size(request.page_size), read_token(request), max_bytes, request.view)
    source = keys.JOBS if wanted.state is None else keys.state(wanted.state)
    groups = JobGroups(index, call.caller.connections, call.has_read)
    while not page.is_full and groups.bytes < MAX_READ_BYTES:
        count = page.count(groups.walked())
        found = await index.walk(source, after=page.after, newest_first=newest_first, count=count + 1)
        await _fill(page, groups, found[:count], wanted)
        if len(found) <= count and (not found or page.after == found[-1][1]):
            return pb.ListJobsResponse(jobs=page.jobs)
    return pb.ListJobsResponse(jobs=page.jobs, next_page_token=write_token(request, page.after))


async def _fill(page: _Page, groups: JobGroups, found: Sequence[Found], wanted: filters.Filter) -> None:
    async for rows in groups.load(found):
        page.take(rows, wanted)
        if page.is_full or groups.bytes >= MAX_READ_BYTES:
            return


def write_token(request: pb.ListJobsRequest, after: int) -> str:
    """A token that says where the walk stands, bound to the arguments."""
    return base64.urlsafe_b64encode(_digest(request) + after.to_bytes(8, "big")).decode().rstrip("=")


def read_token(request: pb.ListJobsRequest) -> int:
    """Where the walk stands; 0 to begin.

    Raises:
        Refused: PAGE_TOKEN_INVALID.
    """
    token = request.page_token
    if not token:
        return 0
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 16:
        said = "page_token can't be read, it is cut off or was never one; start again without it"
        raise Refused(Reason.PAGE_TOKEN_INVALID, said)
    if raw[:8] != _digest(request):
        said = "page_token was made with another filter or order_by; repeat the first page's, or start without it"
        raise Refused(Reason.PAGE_TOKEN_INVALID, said)
    return int.from_bytes(raw[8:], "big")


def _digest(request: pb.ListJobsRequest) -> bytes:
    return hashlib.blake2b(f"{request.filter}\n{request.order_by}".encode(), digest_size=8).digest()


def _size(asked: int) -> int:
    return min(asked or PAGE_SIZE, MAX_PAGE_SIZE)


def read_filter(text: str) -> filters.Filter:
    """A filter ready to be asked.

    Raises:
        Refused: FIELD_INVALID.
    """
    try:
        return filters.parse(text)
    except filters.BadFilter as error:
        raise bad_request([("filter", str(error))]) from error


def _order(text: str) -> bool:
    if text not in _ORDERS:
        raise bad_request([("order_by", 'is neither "create_time" nor "create_time desc"')])
    return _ORDERS[text]
