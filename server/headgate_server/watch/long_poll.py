"""A part of a log for callers without streams: what is there, or what comes within a wait."""

from __future__ import annotations

import asyncio
from typing import Final

from headgate import pb
from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import keys
from headgate_server.errors.exceptions import JobDamaged
from headgate_server.errors.job_errors import deleted_job, unknown_job
from headgate_server.ports import message_bytes
from headgate_server.ports.jobs import LogPage, LogReader
from headgate_server.watch.cursor import check_start
from headgate_server.watch.hub import Hub
from headgate_server.watch.job_subscription import JobSubscription

PAGE_SIZE: Final = 100
MAX_PAGE_SIZE: Final = 1_000
MAX_PAGE_BYTES: Final = 1024 * 1024
"""A page ends before the event that would make it larger than this, but has one at least."""

MARGIN_SECONDS: Final = 0.1
"""How long before its caller's deadline a wait ends, so that the empty answer still arrives."""


async def list_events(
    hub: Hub, logs: LogReader, request: pb.ListJobEventsRequest, seconds: float, uid: str = ""
) -> bytes:
    """The ListJobEventsResponse to a checked request, as bytes.

    Args:
        hub: wakes the wait at a new event.
        logs: where to read.
        request: what was asked.
        seconds: how long to wait when there is nothing yet.
        uid: of the job that is meant; empty for whichever has the id.

    Raises:
        Refused: no such job, or no such revision.
        StoreUnavailable: the log can't be read.
    """
    until = asyncio.get_running_loop().time() + seconds
    with hub.subscribed(keys.job_id(request.name)) as subscription:
        page = await _page(logs, request, subscription, uid)
        while not page.events and not _is_over(page, subscription, until):
            await subscription.wait(until)
            page = await _page(logs, request, subscription, page.uid)
    return _answer(page)


async def _page(logs: LogReader, request: pb.ListJobEventsRequest, subscription: JobSubscription, uid: str) -> LogPage:
    subscription.hints.clear()
    subscription.dirty = False
    job_id, first = keys.job_id(request.name), max(1, request.start_revision)
    page = await logs.read_log(job_id, first=first, count=min(request.page_size or PAGE_SIZE, MAX_PAGE_SIZE))
    if page is None:
        raise unknown_job(job_id)
    if uid and page.uid and uid != page.uid:
        raise deleted_job(job_id)
    check_start(first, page)
    if (damage := page.damage(first)) is not None:
        raise JobDamaged(job_id, damage)
    subscription.sent = page.revision
    return page


def _is_over(page: LogPage, subscription: JobSubscription, until: float) -> bool:
    late = asyncio.get_running_loop().time() >= until
    return late or subscription.draining or page.state in JOB_TERMINAL


def _answer(page: LogPage) -> bytes:
    events = _fitting(page.readable(page.first))
    following = page.first + len(events)
    end = page.state in JOB_TERMINAL and following > page.revision
    return message_bytes.events_page(events, next_revision=following, end=end)


def _fitting(events: tuple[bytes, ...]) -> list[bytes]:
    fitting: list[bytes] = []
    size = 0
    for event in events:
        size += len(event)
        if fitting and size > MAX_PAGE_BYTES:
            break
        fitting.append(event)
    return fitting
