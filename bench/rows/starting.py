"""P15 and P16: two processes against one, and how soon a process is ready."""

from __future__ import annotations

import asyncio
import sys
import time

from bench.figures import Figure, Found, at_least, at_most, ratio
from bench.setting import CREATE, Setting, Size, need_cores

IMPORT = (
    "import time; began = time.perf_counter(); import headgate_client; "
    "print('{\"seconds\":', time.perf_counter() - began, '}')"
)


async def p15(size: Size) -> Found:
    """Submits per second of two server processes on one port against one process."""
    need_cores(4, "two servers, Redis and the load generator side by side")
    async with Setting() as setting:
        one = await setting.server(core=0)
        two = await setting.server(core=-1, HEADGATE_PROCESSES="2")
        alone, both = [], []
        for _ in range(size.runs):
            load = {"in_flight": 128, "connections": 16, "seconds": size.seconds}
            alone.append((await setting.load(one, CREATE, "submit", **load)).rate)
            both.append((await setting.load(two, CREATE, "submit", **load)).rate)
    return Found((ratio("submits per second, two processes / one", both, alone, at_least(1.5, 1.8)),))


async def p16(size: Size) -> Found:
    """Seconds from the start of a process until it says that it is ready, files warm."""
    times: dict[str, list[float]] = {"server": [], "worker": [], "client": []}
    async with Setting() as setting:
        await setting.server()
        for _ in range(size.runs):
            began = time.monotonic()
            await setting.server()
            times["server"].append(time.monotonic() - began)
            began = time.monotonic()
            await setting.worker("http://127.0.0.1:9")
            times["worker"].append(time.monotonic() - began)
            times["client"].append(await _import_seconds())
    return Found(
        (
            Figure("start of a server until ready", "s", tuple(times["server"]), at_most(1.0, 0.6)),
            Figure("start of a worker until ready", "s", tuple(times["worker"]), at_most(1.5, 1.0)),
            Figure("import of the client", "s", tuple(times["client"]), at_most(0.2, 0.12)),
        ),
        ("compiled files are there; the start of the interpreter is part of the first two",),
    )


async def _import_seconds() -> float:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", IMPORT, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return float(said.split(b":")[1].split(b"}")[0])
