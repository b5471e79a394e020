"""`python -m bench.upstream.stalls WHO ENDPOINT CA_FILE`: how long the event loop stands still, as a line of JSON.

WHO is `headgate` or `sdk`, as in `bench.upstream.caller`. `connecting` is the longest stall while a fresh client makes
its first calls, 64 at once, each on a connection of its own; `refreshing` the longest one while calls go on and the
credentials are asked for anew, of a chain that takes a second (headgate only). In ms.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvloop
from bench.upstream.caller import IN_FLIGHT, WHO

from headgate_worker.upstream.dataworks.credentials import CredentialCache
from headgate_worker.upstream.dataworks.settings import Credentials

BEAT_SECONDS = 0.001


class Pulse:
    """Beats on the loop, and remembers the longest time without a beat."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def beat(self) -> None:
        """Go on until cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(BEAT_SECONDS)
            self.longest = max(self.longest, time.perf_counter() - before - BEAT_SECONDS)


@asynccontextmanager
async def felt() -> AsyncIterator[Pulse]:
    """A pulse for the time of the block."""
    pulse = Pulse()
    beating = asyncio.create_task(pulse.beat())
    await asyncio.sleep(0.05)
    pulse.longest = 0.0
    try:
        yield pulse
        await asyncio.sleep(0.05)
    finally:
        beating.cancel()


async def _connecting(who: str, endpoint: str, ca_file: Path) -> float:
    async with AsyncExitStack() as stack:
        ask = await WHO[who](stack, endpoint, ca_file)
        async with felt() as pulse:
            await asyncio.gather(*(ask(number + 1) for number in range(IN_FLIGHT if who == "headgate" else 4)))
    return pulse.longest


async def _refreshing() -> float:
    def slow(anew: bool) -> Credentials:
        time.sleep(1.0)  # in the cache's thread, as a metadata service that hangs
        return Credentials("id", "secret")

    cache = CredentialCache(slow)
    async with felt() as pulse:
        rejected = await cache.current()
        await asyncio.gather(*(cache.renew(rejected) for _ in range(IN_FLIGHT)))
    await cache.aclose()
    return pulse.longest


async def main(who: str, endpoint: str, ca_file: Path) -> dict[str, float]:
    """Both stalls in ms; without `refreshing` for the SDK."""
    found = {"connecting": await _connecting(who, endpoint, ca_file) * 1000}
    return {**found, "refreshing": await _refreshing() * 1000} if who == "headgate" else found


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stalls = runner.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
    print(json.dumps(stalls))
