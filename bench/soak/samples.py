"""Samples of what may grow: processes by /proc, Redis by what it says of itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.chaos.process import Process
from bench.chaos.truth import Truth
from bench.soak.trend import Bound, Sample

from headgate.store import keys

REMEMBERED: Final = ("hg:request:", "hg:name:", "hg:seen:", "hg:flight:", "hg:stops:", "hg:took:")
"""Keys that outlive their job for a stated time: request ids, names of instances, observations, how long runs took."""

WEIGHED: Final = 20
"""Keys of a kind whose size is asked for, as a sample of all."""

FORGOTTEN: Final = 1_000
"""Keys that are deleted together."""

BOUNDS: Final[Mapping[str, Bound]] = {
    "RSS, MB": Bound(4.0, 0.03),
    "descriptors": Bound(6.0, 0.05),
    "Redis connections": Bound(6.0, 0.05),
    "Redis keys of jobs and queues": Bound(60.0, 0.10),
    "Redis memory but for feed and remembered keys, MB": Bound(1.5, 0.05),
}
"""What each kind of series may rise by; a series is named by its process, if any, and its kind."""


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def descriptors(pid: int) -> int:
    """Open files and sockets of a process."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


@dataclass(slots=True)
class Samples:
    """Every series so far, by (process or "", kind); `missed` are looks at a store that was away."""

    series: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    missed: int = 0

    def add(self, who: str, kind: str, value: float) -> None:
        """Note one value."""
        self.series.setdefault((who, kind), []).append((time.monotonic() - self.began, value))

    async def take(self, processes: Sequence[Process], truth: Truth) -> None:
        """Look at everything once."""
        for process in processes:
            self.add(process.name, "RSS, MB", rss_mb(process.pid))
            self.add(process.name, "descriptors", descriptors(process.pid))
        for kind, value in (await store_figures(truth.redis)).items():
            self.add("", kind, value)


async def store_figures(redis: Any) -> dict[str, float]:
    """What Redis holds: connections, keys and memory, with the feed and what outlives its job counted apart."""
    kinds = await _by_kind(redis)
    remembered = {kind: found for kind, found in kinds.items() if kind}
    feed = (await redis.memory_usage(keys.FEED) or 0) / 2**20
    weight = sum([await _weight(redis, found) for found in remembered.values()])
    used = (await redis.info("memory"))["used_memory"] / 2**20
    return {
        "Redis connections": (await redis.info("clients"))["connected_clients"],
        "Redis keys of jobs and queues": len(kinds.get("", ())),
        "Redis memory but for feed and remembered keys, MB": used - feed - weight,
        "Redis memory of the feed, MB": feed,
        "Redis keys remembered": sum(map(len, remembered.values())),
        "Redis memory of remembered keys, MB": weight,
    }


async def _by_kind(redis: Any) -> dict[str, list[bytes]]:
    """All keys, by the prefix of REMEMBERED that they have; "" for the others."""
    found: dict[str, list[bytes]] = {}
    async for key in redis.scan_iter(count=5_000):
        kind = next((prefix for prefix in REMEMBERED if key.startswith(prefix.encode())), "")
        found.setdefault(kind, []).append(key)
    return found


async def _weight(redis: Any, names: Sequence[bytes]) -> float:
    """Memory of keys in MB, by a sample of them."""
    step = max(1, len(names) // WEIGHED)
    sizes = [await redis.memory_usage(name) or 0 for name in names[::step]]
    return sum(sizes) / len(sizes) * len(names) / 2**20


async def forget_remembered(redis: Any) -> int:
    """Bring forward the end of the feed and of all that outlives its job; how many keys had no end at all."""
    names = [name for kind, found in (await _by_kind(redis)).items() if kind for name in found]
    endless = 0
    for start in range(0, len(names), FORGOTTEN):
        async with redis.pipeline(transaction=False) as pipe:
            for name in names[start : start + FORGOTTEN]:
                pipe.pttl(name)
                pipe.unlink(name)
            endless += (await pipe.execute())[::2].count(-1)
    await redis.unlink(keys.FEED)
    return endless


async def job_keys(redis: Any) -> Counter[str]:
    """What is left of jobs and their ticks, by the beginning of the key."""
    prefixes = ("hg:job:", "hg:log:", "arq:job:tick:", "arq:in-progress:")
    names = [key.decode() async for key in redis.scan_iter(count=5_000)]
    return Counter(prefix for name in names for prefix in prefixes if name.startswith(prefix))
