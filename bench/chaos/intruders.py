"""`python -m bench.chaos.intruders TARGET FOLDER SECONDS AT_A_TIME`: clients that a server must refuse.

By turns one without TLS, one without a certificate, and one for each certificate in the folder that is worth nothing.
Says `intruders ready` before it begins, `intruders done` with what came of each kind's calls as JSON, and ends.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import grpc
from bench.chaos.certificates import STRANGERS

from headgate import pb
from headgate.v1.job_service_pb2_grpc import JobServiceStub

PLAIN: Final = "no TLS"
BARE: Final = "no certificate"
KINDS: Final = (PLAIN, BARE, *STRANGERS)

PATIENCE_SECONDS: Final = 2.0
"""How long one call may take: a channel that is not let in tries again and again."""

PAUSE_SECONDS: Final = 0.03
"""Seconds between two connections of the same client: a handshake costs the server half a millisecond and more."""

_OWN = (("grpc.use_local_subchannel_pool", 1),)


def channel(target: str, folder: Path, kind: str) -> grpc.aio.Channel:
    """A channel of one kind, with a connection of its own."""
    if kind == PLAIN:
        return grpc.aio.insecure_channel(target, options=_OWN)
    authority = (folder / "authority.pem").read_bytes()
    pair = (None, None) if kind == BARE else tuple((folder / f"{kind}.{end}").read_bytes() for end in ("key", "pem"))
    return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(authority, *pair), options=_OWN)


async def knock(target: str, folder: Path, kind: str) -> str:
    """Try one call on a connection of its own; its code."""
    async with channel(target, folder, kind) as opened:
        try:
            await JobServiceStub(opened).CountJobs(pb.CountJobsRequest(), timeout=PATIENCE_SECONDS)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return "OK"


async def main(target: str, folder: Path, seconds: float, at_a_time: int) -> None:
    """Connect again and again for so long, then print the outcomes."""
    print("intruders ready", flush=True)
    until, kinds, seen = time.monotonic() + seconds, itertools.cycle(KINDS), Counter[str]()

    async def again() -> None:
        while time.monotonic() < until:
            kind = next(kinds)
            seen[f"{kind}: {await knock(target, folder, kind)}"] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    await asyncio.gather(*(again() for _ in range(at_a_time)))
    print(f"intruders done {json.dumps(seen)}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
