"""`python -m bench.chaos.crowd TARGET JOB COUNT JOB COUNT`: a process with many open streams, not read.

The first job's streams are read once and then idle; the second job's are never read, so that they stall as soon as
their windows are full. Says `crowd ready streams=N` when every stream is open, and lives until it is stopped.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import grpc

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub

STREAMS_PER_CHANNEL = 500
"""Streams that share one connection."""

OPTIONS = (("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1))
"""Small windows, and a connection for each channel."""

Call = grpc.aio.UnaryStreamCall[pb.WatchJobRequest, pb.WatchJobResponse]


async def main(target: str, idle_job: str, idle: int, stalled_job: str, stalled: int) -> None:
    """Open the streams and hold them until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    calls = [*await _open(target, idle_job, idle), *await _open(target, stalled_job, stalled)]
    print(f"crowd ready streams={len(calls)}", flush=True)
    await stop.wait()


async def _open(target: str, job: str, count: int) -> list[Call]:
    calls: list[Call] = []
    while len(calls) < count:
        channel = grpc.aio.insecure_channel(target, options=OPTIONS)
        stub = JobServiceStub(channel)
        portion = [stub.WatchJob(_request(job)) for _ in range(min(STREAMS_PER_CHANNEL, count - len(calls)))]
        # One message each proves that the stream stands; after that none are read.
        await asyncio.gather(*(call.read() for call in portion))
        calls += portion
    return calls


def _request(job: str) -> pb.WatchJobRequest:
    request = pb.WatchJobRequest(name=f"jobs/{job}")
    request.progress_interval.FromSeconds(300)
    return request


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])))
