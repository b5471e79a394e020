"""AdminService: what this deployment is and may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from typing import Final

from headgate import pb
from headgate.backfill import dates
from headgate.job import sizes
from headgate.reasons import Reason
from headgate_server.errors.exceptions import Refused
from headgate_server.jobs import listing, quota_status
from headgate_server.ports.call import Call
from headgate_server.ports.facts import ConnectionFacts
from headgate_server.reports.job_checks import JobChecker
from headgate_server.requests import bounds, validator
from headgate_server.requests.unbuilt import UNBUILT
from headgate_server.watch import long_poll

FEATURES: Final = ("backfills", "jobs", "workflow_instances")
"""What is built, by word."""

_FIXED_LIMITS: Final[Mapping[str, int]] = {
    "max_biz_dates_per_backfill": dates.MAX_DATES,
    "max_ids_per_start": 1_000,
    "max_ids_per_stop": 1_000,
    **bounds.LIMITS,
    "max_page_bytes": listing.MAX_PAGE_BYTES,
    "max_job_bytes": sizes.MAX_JOB_BYTES,
    "max_jobs_per_page": listing.MAX_PAGE_SIZE,
    "max_events_per_page": long_poll.MAX_PAGE_SIZE,
}


class AdminService:
    """Facts about the deployment.

    Args:
        limits: limits that depend on settings, by name.
        facts: says how a quota stands.
        checker: checks what is kept of jobs.
    """

    def __init__(self, limits: Mapping[str, int], facts: ConnectionFacts, checker: JobChecker) -> None:
        self._checker = checker
        self._limits = {**_FIXED_LIMITS, **limits}
        self._facts = facts

    async def get_quota(self, request: pb.GetQuotaRequest, _: Call) -> pb.Quota:
        """GetQuota."""
        found = quota_status.quota_status(request.connection, await self._facts.facts(request.connection))
        if found is None:
            raise Refused(Reason.CONNECTION_UNKNOWN, f"no worker serves a connection {request.connection!r}")
        return found

    async def check_jobs(self, request: pb.CheckJobsRequest, call: Call) -> pb.CheckJobsResponse:
        """CheckJobs."""
        validator.check(request)
        return await self._checker.check(request, call.caller)

    async def get_server_info(self, _: pb.GetServerInfoRequest, call: Call) -> pb.ServerInfo:
        """GetServerInfo."""
        return pb.ServerInfo(
            version=version(),
            features=FEATURES,
            limits=self._limits,
            unimplemented_methods=sorted(UNBUILT),
            caller=call.caller.name,
            caller_limits=pb.CallerLimits(**asdict(call.caller.limits)),
        )


def version() -> str:
    """Version of headgate; "0" when it is not installed."""
    try:
        return metadata.version("headgate")
    except metadata.PackageNotFoundError:
        return "0"
