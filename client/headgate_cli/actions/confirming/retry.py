"""Run dates of an ended backfill again: those named, those that failed, or all that did not succeed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from headgate import pb
from headgate.backfill.dates import to_message
from headgate_cli.actions.jobs import steer
from headgate_cli.input.arguments import date_spans, span
from headgate_cli.input.parameters import ServerFlags
from headgate_cli.process.exit_codes import UsageFault
from headgate_cli.views.previews import failed_dates
from headgate_client import Client


@dataclass(frozen=True, slots=True)
class RetryChoice:
    """Which dates run again, as typed: those named, those that failed, or neither for all that did not succeed."""

    biz_dates: Sequence[str]
    failed: bool


@dataclass(frozen=True, slots=True)
class RetryFlags:
    """How dates are run again, as typed; empty means the default."""

    deadline: str
    request_id: str
    etag: str


def retry(job: str, choice: RetryChoice, again: RetryFlags, server: ServerFlags) -> None:
    """Run dates of an ended backfill again."""

    async def ask(client: Client) -> pb.Job:
        deadline = span(again.deadline, "--deadline")
        days: Sequence[date] = named_days(choice.biz_dates)
        etag = again.etag
        if choice.failed:
            found = await client.jobs.get(job, view=pb.JOB_VIEW_BASIC)
            days, etag = chosen_days(found, choice), etag or found.etag  # others may have retried it since
        return await client.jobs.retry(
            job, biz_dates=[to_message(day) for day in days], deadline=deadline, request_id=again.request_id, etag=etag
        )

    steer(server, ask)


def named_days(biz_dates: Sequence[str]) -> list[date]:
    """Return the dates of --biz-dates, one by one. Raises UsageFault."""
    spans = date_spans(biz_dates)
    return [first + timedelta(n) for first, last in spans for n in range((last - first).days + 1)]


def chosen_days(job: pb.Job, choice: RetryChoice) -> Sequence[date]:
    """Return the dates to run again; empty means all that did not succeed. Raises UsageFault."""
    if not choice.failed:
        return named_days(choice.biz_dates)
    if choice.biz_dates:
        raise UsageFault("--failed", "means all dates that failed; leave --biz-dates out, or --failed")
    found = failed_dates(job)
    if not found:
        raise UsageFault("--failed", f"no date of {job.name} has failed; name dates with --biz-dates")
    return found
