"""GetJobReport: the log is read in one go, upstream is asked if requested, and the report is sent in parts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from headgate import pb
from headgate.reasons import Reason
from headgate.store import keys
from headgate_server.errors.exceptions import Refused
from headgate_server.errors.job_errors import deleted_job, unknown_job
from headgate_server.ports.call import Call, ReplySink
from headgate_server.ports.clock import StoreTime
from headgate_server.ports.jobs import LogPage, LogReader
from headgate_server.ports.reads import UpstreamReads
from headgate_server.progress.progress_stream import with_progress
from headgate_server.reports import verifier
from headgate_server.reports.history import InstanceHistory
from headgate_server.reports.job_report import report
from headgate_server.reports.sightings import Sightings
from headgate_server.reports.verifier import VerificationProgress, Verifier

EVENTS_AT_ONCE: Final = 200
"""Events that are read and taken in before other calls have their turn."""

PART_BYTES: Final = 1024 * 1024
"""About how large a message may be: a client takes 4 MiB by default."""

MOST_SECONDS: Final = 3600.0
"""How long a verification may last."""

MARGIN_SECONDS: Final = 1.0
"""How long before its caller's deadline it ends, so that the report still arrives."""


class JobReports:
    """Makes reports of jobs."""

    def __init__(self, logs: LogReader, reads: UpstreamReads, clock: StoreTime) -> None:
        self._logs = logs
        self._clock = clock
        self._verifier = Verifier(reads, clock)

    async def send(self, request: pb.GetJobReportRequest, call: Call, sink: ReplySink) -> None:
        """Send the report of a checked request.

        Raises:
            Refused: no such job, or it is no backfill.
            JobDamaged: it can't be read.
            StoreUnavailable: the log can't be read.
        """
        job, history = await self._read(keys.job_id(request.name), call.uid)
        seen = await self._verified(job, history, call, sink) if request.verify else None
        for part in parts(report(job, history, seen, now_ms=self._clock.now_ms())):
            await sink.write(pb.GetJobReportResponse(report=part).SerializeToString())

    async def _read(self, job_id: str, uid: str) -> tuple[pb.Job, InstanceHistory]:
        """A job, and its log up to the same revision."""
        history = InstanceHistory()
        page = await self._page(job_id, uid, 1, with_job=True)
        uid, first = uid or page.uid, page.kept_from
        if first > 1:
            history.gaps.append(f"the log begins at revision {first}")
            page = await self._page(job_id, uid, first, with_job=True)
        while True:
            _take(page, first, history)
            first += len(page.events)
            if page.job and (not page.events or first > page.revision):
                break
            await asyncio.sleep(0)
            last = not page.events or first > page.revision - EVENTS_AT_ONCE
            page = await self._page(job_id, uid, first, with_job=last)
        if first <= page.revision:
            history.gaps.append(f"the log ends at revision {first - 1}, and the job is at {page.revision}")
        return pb.Job.FromString(page.job), history

    async def _page(self, job_id: str, uid: str, first: int, *, with_job: bool) -> LogPage:
        page = await self._logs.read_log(job_id, first=first, count=EVENTS_AT_ONCE, with_job=with_job)
        if page is None:
            raise unknown_job(job_id)
        if uid and page.uid and uid != page.uid:
            raise deleted_job(job_id)
        if page.job and pb.Job.FromString(page.job).WhichOneof("spec") != "backfill":
            raise Refused(Reason.STATE_CONFLICT, f"{keys.job_name(job_id)} is no backfill: it has no report")
        return page

    async def _verified(self, job: pb.Job, history: InstanceHistory, call: Call, sink: ReplySink) -> Sightings:
        asked = verifier.questions(job, {run.index: _ids(history, run.index) for run in job.runs})
        pace = VerificationProgress(total=len(asked))
        return await with_progress(
            self._verifier.verify(job, asked, call, pace, _until(call)),
            lambda: (pace.done, pace.waiting_for),
            lambda: _send_progress(pace, sink),
        )


async def _send_progress(pace: VerificationProgress, sink: ReplySink) -> None:
    now = pb.ReportProgress(dates_total=pace.total, dates_done=pace.done, waiting_for=pace.waiting_for)
    await sink.write(pb.GetJobReportResponse(progress=now).SerializeToString())


def _until(call: Call) -> float:
    latest = asyncio.get_running_loop().time() + MOST_SECONDS
    return latest if call.deadline is None else min(latest, call.deadline - MARGIN_SECONDS)


def _ids(history: InstanceHistory, index: int) -> frozenset[int]:
    return frozenset(told.workflow_instance_id for told in history.instances(index)) - {0}


def _take(page: LogPage, first: int, history: InstanceHistory) -> None:
    for at, raw in enumerate(page.events):
        if first + at in page.unreadable:
            history.gaps.append(f"event {first + at} can't be read")
        else:
            history.add(pb.JobEvent.FromString(raw))


def parts(whole: pb.JobReport) -> Iterator[pb.JobReport]:
    """A report in messages that are to be merged: the first one has all but the dates that have no room in it. Pure."""
    days = list(whole.dates)
    part = pb.JobReport()
    part.CopyFrom(whole)
    del part.dates[:]
    size = part.ByteSize()
    for day in days:
        if len(part.dates) and size + day.ByteSize() > PART_BYTES:
            yield part
            part, size = pb.JobReport(), 0
        part.dates.append(day)
        size += day.ByteSize()
    yield part
