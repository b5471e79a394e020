"""P9: calls of the cloud per second of CPU, against the stock SDK and against a pooled session alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.figures import Figure, Found, at_least, at_most, ratio
from bench.setting import MEASURED, Setting, Size
from bench.upstream import authority


async def p9(size: Size) -> Found:
    """Verified HTTPS, 64 calls in flight."""
    seen: dict[str, list[float]] = {"headgate": [], "aiohttp": [], "sdk": []}
    stalls: dict[str, list[dict[str, float]]] = {"headgate": [], "sdk": []}
    with tempfile.TemporaryDirectory() as folder:
        files = authority.make(Path(folder))
        async with Setting(redis=False) as setting:
            server = await setting.floor("bench.upstream.server", str(files.chain), core=1)
            endpoint = f"https://127.0.0.1:{server.addresses['port']}"
            for _ in range(size.runs):
                for who, rates in seen.items():
                    seconds = size.seconds * (2 if who == "sdk" else 1)
                    arguments = (who, endpoint, str(files.trusted), str(seconds))
                    found = await setting.answer("bench.upstream.caller", *arguments, core=MEASURED)
                    rates.append(found["per_cpu_second"])
                for who, times in stalls.items():
                    found = await setting.answer(
                        "bench.upstream.stalls", who, endpoint, str(files.trusted), core=MEASURED
                    )
                    times.append(found)
    ours, alone, sdk = seen["headgate"], seen["aiohttp"], seen["sdk"]
    return Found(
        (
            ratio("calls per CPU-second / the stock async SDK's", ours, sdk, at_least(100, 150)),
            ratio("calls per CPU-second / a pooled aiohttp session's", ours, alone, at_least(0.5, 0.7)),
            Figure("CPU per call", "us", tuple(1e6 / rate for rate in ours)),
            Figure("CPU per call of the stock async SDK", "us", tuple(1e6 / rate for rate in sdk)),
            _stall("event loop stands still while 64 connections open", stalls["headgate"], "connecting"),
            _stall("event loop stands still while credentials are fetched for 1 s", stalls["headgate"], "refreshing"),
            Figure(
                "the same for 4 first calls of the stock SDK", "ms", tuple(one["connecting"] for one in stalls["sdk"])
            ),
        ),
        ("every client verifies against the full set of authorities and one more; uvloop for all three",),
    )


def _stall(what: str, stalls: list[dict[str, float]], when: str) -> Figure:
    return Figure(what, "ms", tuple(one[when] for one in stalls), at_most(20))
