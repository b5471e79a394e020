"""How long jobs stand still after their worker was killed: from the kill to their next commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from bench.chaos.truth import Truth

from headgate.job.lifecycle import JOB_TERMINAL
from headgate.store import keys


@dataclass(frozen=True, slots=True)
class Held:
    """A job at the moment its worker was killed."""

    fence: int
    revision: int


class Recovery:
    """Measures the recovery of killed ticks, each kill in a task of its own.

    `seconds` are the waits of all of them; `once` those of ticks whose job lost no other tick to a kill meanwhile: what
    one kill costs, however fast they follow each other.
    """

    def __init__(self, truth: Truth, *, patience: float = 30.0) -> None:
        self.seconds: list[float] = []
        self.once: list[float] = []
        self.never = 0
        self._truth = truth
        self._patience = patience
        self._tasks: list[asyncio.Task[None]] = []
        self._last_kill: dict[str, float] = {}

    async def killed(self, pid: int) -> int:
        """Begin to measure what the process `pid`, killed just now, held; how many jobs that is."""
        at = time.monotonic()
        held = await self._standing(await self._truth.held_by(pid))
        self._last_kill.update(dict.fromkeys(held, at))
        if held:
            self._tasks.append(asyncio.create_task(self._follow(held, at)))
        return len(held)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait until every measurement has ended."""
        for task in self._tasks if kind else ():
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=kind is not None)

    async def _standing(self, job_ids: Collection[str]) -> dict[str, Held]:
        rows = await self._rows(job_ids)
        return {
            job_id: Held(int(row[0] or 0), int(row[1]))
            for job_id, row in rows.items()
            if row[1] and int(row[2]) not in JOB_TERMINAL
        }

    async def _rows(self, job_ids: Collection[str]) -> dict[str, list[bytes]]:
        async with self._truth.redis.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hmget(keys.job(job_id), "fence", "rev", "st", "att")
            raw = await pipe.execute()
        return dict(zip(job_ids, raw, strict=True))

    async def _follow(self, held: dict[str, Held], at: float) -> None:
        while held and time.monotonic() - at < self._patience:
            rows = await self._rows(list(held))
            for job_id, row in rows.items():
                if _committed(held[job_id], row):
                    del held[job_id]
                    self._note(job_id, at)
            await asyncio.sleep(0.05)
        self.never += len(held)

    def _note(self, job_id: str, at: float) -> None:
        self.seconds.append(time.monotonic() - at)
        if self._last_kill[job_id] == at:
            self.once.append(self.seconds[-1])


def _committed(before: Held, row: list[bytes]) -> bool:
    """Whether it was committed since: it has new events, or another tick has taken it and set its attempts to 0."""
    fence, revision, _, attempts = row
    taken = int(fence or 0) > before.fence
    return int(revision) > before.revision or (taken and int(attempts or 0) == 0)
