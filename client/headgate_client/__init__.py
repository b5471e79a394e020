"""The Python client of headgate: typed, asynchronous, light.

    from headgate import pb
    from headgate_client import Client, date_range

    async with Client() as client:
        job = await client.backfills.create(pb.BackfillSpec(...), job_id="orders-2025")
        async for item in job.watch():
            ...

Every public name is here; nothing inside the package imports from here.
"""

from headgate_client.api.client import Client
from headgate_client.api.handle import JobHandle
from headgate_client.api.submitting import SubmitOptions, SubmitRequest
from headgate_client.rpc.backoff import RetryPolicy
from headgate_client.rpc.errors import (
    HeadgateError,
    JobCancelled,
    JobFailed,
    JobNeedsAttention,
    JobNotSucceeded,
    Violation,
)
from headgate_client.rpc.options import ChannelOptions, ClientOptions, Keepalive, Tls, WatchOptions
from headgate_client.rpc.token_file import TokenFile
from headgate_client.values.conversions import date_range, duration, timestamp
from headgate_client.values.job_change import JobChange
from headgate_client.watch.following import Following
from headgate_client.watch.items import EndItem, EventItem, ProgressItem, SnapshotItem, WatchItem
from headgate_client.watch.job_watch import JobWatch

__all__ = [
    "ChannelOptions",
    "Client",
    "ClientOptions",
    "EndItem",
    "EventItem",
    "Following",
    "HeadgateError",
    "JobCancelled",
    "JobChange",
    "JobFailed",
    "JobHandle",
    "JobNeedsAttention",
    "JobNotSucceeded",
    "JobWatch",
    "Keepalive",
    "ProgressItem",
    "RetryPolicy",
    "SnapshotItem",
    "SubmitOptions",
    "SubmitRequest",
    "Tls",
    "TokenFile",
    "Violation",
    "WatchItem",
    "WatchOptions",
    "date_range",
    "duration",
    "timestamp",
]
