"""Run histories: `python -m tests.simulator --count 10000`, or one again: `--seed N --trace`."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from pathlib import Path

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(_ROOT / source) for source in ("protos", "worker")]


def main() -> int:
    """Run what the command line asks for; 1 when a history broke a rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the one history to run")
    parser.add_argument("--first", type=int, default=0, help="the first of many")
    parser.add_argument("--count", type=int, default=1000, help="how many")
    parser.add_argument("--trace", action="store_true", help="show all that happens")
    parser.add_argument("--most", type=int, default=10, help="stop after so many broken ones")
    asked = parser.parse_args()
    if asked.seed is not None:
        return _one(asked.seed, trace=asked.trace)
    return _many(range(asked.first, asked.first + asked.count), most=asked.most)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _one(seed: int, *, trace: bool) -> int:
    from tests.simulator.history import live

    result = live(seed, trace=trace)
    for line in result.trace:
        _say(line)
    _say(f"seed {seed}: {result.kind} {result.state}: {result.problem or 'fine'}")
    return int(bool(result.problem))


def _many(seeds: range, *, most: int) -> int:
    from tests.simulator.history import live

    gc.set_threshold(100_000)  # a history leaves little behind; looking for it all the time costs a tenth
    began, sums = time.perf_counter(), Counter[str]()
    for seed in seeds:
        result = live(seed)
        sums.update({result.state: 1, "ticks": result.ticks, "calls": result.calls, "events": result.events})
        sums.update({"histories": 1, "broken": bool(result.problem)})
        if result.problem:
            _say(f"seed {seed}: {result.kind} {result.state}: {result.problem}")
        if sums["broken"] >= most:
            break
    _say(f"{time.perf_counter() - began:.1f} s, {time.process_time():.1f} s of them computing: {dict(sums)}")
    return int(sums["broken"] > 0)


if __name__ == "__main__":
    sys.exit(main())
