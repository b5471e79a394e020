"""`python -m bench.chaos.noises TARGET KIND SECONDS TOKEN`: one caller that does one harmful thing for so long.

Says `noise ready` before it begins, and `noise done` with what came of its calls as JSON at the end. KIND is a key of
`KINDS`; those before the first call of a method has come whole use no token, since they need none.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from bench.chaos.submits import adhoc, backfill
from bench.fuzz import corpus
from bench.load.http2 import DATA, END_HEADERS, HEADERS, PREFACE, SETTINGS, frame, header_blocks
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from headgate import pb

SUBMIT: Final = "/headgate.v1.WorkflowInstanceService/ExecuteAdhocWorkflowInstance"
CREATE: Final = "/headgate.v1.BackfillService/CreateBackfill"
PLAN: Final = "/headgate.v1.BackfillService/PlanBackfill"
LIST: Final = "/headgate.v1.JobService/ListJobs"
WATCH: Final = "/headgate.v1.WorkflowInstanceService/WatchWorkflowInstances"
HEALTH: Final = "/grpc.health.v1.Health/Watch"

HIDDEN: Final = "elsewhere"
"""A connection that the other caller may not use; no worker has it."""

LARGE_BYTES: Final = 250_000
"""Script of a large job: about the most that a task may have."""

PLAN_HANGS_UP: Final = 1.5
"""Seconds after which a caller of plans leaves, as the field report has it."""


@dataclass
class Noise:
    """Where to, until when by the steady clock, as whom, and what came of it."""

    target: str
    until: float
    token: str
    channel: Any
    seen: Counter[str] = field(default_factory=Counter)
    number: int = 0

    def word(self) -> str:
        """A fresh job id, so that two runs don't meet."""
        self.number += 1
        return f"n{os.getpid()}-{self.number}"

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return max(0.0, self.until - time.monotonic())

    async def call(self, path: str, raw: bytes, seconds: float = 10.0) -> None:
        """Make a unary call, and count how it ended."""
        try:
            await self.channel.unary_unary(path)(raw, timeout=seconds, metadata=self._who())
            self.seen["OK"] += 1
        except grpc.aio.AioRpcError as error:
            self.seen[error.code().name] += 1

    async def stream(self, path: str, raw: bytes, *, anonymous: bool = False) -> None:
        """Open a stream and hold it until the end, if it is let in."""
        call = self.channel.unary_stream(path)(raw, metadata=() if anonymous else self._who())
        try:
            async with asyncio.timeout(self.left):
                while await call.read() is not grpc.aio.EOF:
                    self.seen["messages"] += 1
        except TimeoutError:
            self.seen["held"] += 1
            call.cancel()
        except grpc.aio.AioRpcError as error:
            self.seen[error.code().name] += 1
            await asyncio.sleep(0.1)

    def _who(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)

    async def again(self, at_a_time: int, one: Callable[[], Awaitable[None]]) -> None:
        """Do one thing over and over, so many at a time, until the end."""

        async def on() -> None:
            while self.left:
                await one()

        await asyncio.gather(*(on() for _ in range(at_a_time)))


async def nested(noise: Noise) -> None:
    """S1: submits with values that are nested too deeply."""
    cases = list(corpus.harmful())

    async def one() -> None:
        for case in cases:
            await noise.call(corpus.path(case.method), case.raw)

    await noise.again(4, one)


async def stalled(noise: Noise) -> None:
    """S3: a hundred requests of nearly a megabyte without a token, each of which never ends."""
    await _raw(noise, connections=1, calls=100, data=b"\x00" + struct.pack(">I", 990_000) + bytes(60_000))


async def half_open(noise: Noise) -> None:
    """S3: thousands of calls without a token and without a request, on three connections."""
    await _raw(noise, connections=3, calls=8_500, data=b"")


async def _raw(noise: Noise, connections: int, calls: int, data: bytes) -> None:
    host, _, port = noise.target.rpartition(":")
    writers = []
    for _ in range(connections):
        _, writer = await asyncio.open_connection(host, int(port))
        writers.append(writer)
        first, later = header_blocks(CREATE, "x")
        writer.write(PREFACE + frame(SETTINGS, 0, 0))
        for number in range(calls):
            writer.write(frame(HEADERS, END_HEADERS, 2 * number + 1, later if number else first))
            for at in range(0, len(data), 16_000):
                writer.write(frame(DATA, 0, 2 * number + 1, data[at : at + 16_000]))
        noise.seen["calls begun"] += calls
    await asyncio.sleep(noise.left)
    for writer in writers:
        writer.transport.abort()


async def health(noise: Noise) -> None:
    """S3: more watches of health than there are slots, without a token."""
    await asyncio.gather(*(noise.stream(HEALTH, b"", anonymous=True) for _ in range(5_200)))


async def plans(noise: Noise) -> None:
    """S4: plans of three years, sixty at a time, whose caller leaves soon."""
    request = pb.PlanBackfillRequest(spec=backfill("plan", 1).spec)
    request.spec.reprocess = pb.REPROCESS_MISSING_ONLY
    del request.spec.biz_dates[1:]
    request.spec.biz_dates[0].start_biz_date.CopyFrom(Date(year=2022, month=1, day=1))
    request.spec.biz_dates[0].end_biz_date.CopyFrom(Date(year=2024, month=12, day=31))
    raw = request.SerializeToString()
    await noise.again(60, lambda: noise.call(PLAN, raw, PLAN_HANGS_UP))


async def storage(noise: Noise) -> None:
    """S5: large jobs, four at a time; on a connection that no worker has, so that none goes on to the cloud."""
    await noise.again(4, lambda: noise.call(SUBMIT, _large(noise.word(), HIDDEN).SerializeToString()))


async def large_lists(noise: Noise) -> None:
    """S6 and S11: large jobs on a connection that others may not see, and lists of them in whole."""
    for _ in range(60):
        await noise.call(SUBMIT, _large(noise.word(), HIDDEN).SerializeToString())
    raw = pb.ListJobsRequest(page_size=200, view=pb.JOB_VIEW_FULL).SerializeToString()
    await noise.again(4, lambda: noise.call(LIST, raw))


def _large(word: str, connection: str = "") -> Message:
    request = adhoc(word, until=pb.UNTIL_ACCEPTED)
    request.spec.tasks[0].script_content = "-" * LARGE_BYTES
    request.connection = connection
    return request


async def watches(noise: Noise) -> None:
    """S7: a hundred watches of a hundred instances each."""
    requests = [pb.WatchWorkflowInstancesRequest(ids=range(100 * n + 1, 100 * n + 101)) for n in range(100)]
    raws = [request.SerializeToString() for request in requests]

    async def hold(raw: bytes) -> None:
        while noise.left:
            await noise.stream(WATCH, raw)

    await asyncio.gather(*map(hold, raws))


KINDS: Final[dict[str, Callable[[Noise], Awaitable[None]]]] = {
    "S1 nested": nested,
    "S3 stalled": stalled,
    "S3 half-open": half_open,
    "S3 health": health,
    "S4 plans": plans,
    "S5 storage": storage,
    "S6, S11 large lists": large_lists,
    "S7 watches": watches,
}
"""What is done, by the number that the field gave it."""


async def main(target: str, kind: str, seconds: float, token: str) -> None:
    """Do it for so long, then say what came of it."""
    _stand_back()
    print("noise ready", flush=True)
    async with grpc.aio.insecure_channel(target, options=(("grpc.max_receive_message_length", -1),)) as channel:
        noise = Noise(target, time.monotonic() + seconds, token, channel)
        await KINDS[kind](noise)
    print(f"noise done {json.dumps(noise.seen)}", flush=True)


def _stand_back() -> None:
    """Have this process yield to all others: what it costs to make the noise is not the server's.

    Where the system groups processes by session, as Linux does on desktops and some servers, a process's own niceness
    counts within its group alone, and the group has one, too.
    """
    os.nice(10)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text("10")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]))
