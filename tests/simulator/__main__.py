"""Run histories: `python -m tests.simulator --count 10000`, or one again: `--seed N --trace`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(_ROOT / source) for source in ("protos", "worker")]


def main() -> int:
    """Run what the command line asks for; 1 when a history broke a rule."""
    from tests.simulator.history import live

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the one history to run")
    parser.add_argument("--first", type=int, default=0, help="the first of many")
    parser.add_argument("--count", type=int, default=1000, help="how many")
    parser.add_argument("--trace", action="store_true", help="show all that happens")
    parser.add_argument("--most", type=int, default=10, help="stop after so many broken ones")
    asked = parser.parse_args()
    if asked.seed is not None:
        result = live(asked.seed, trace=asked.trace)
        print("\n".join(result.trace))
        print(f"seed {result.seed}: {result.kind} {result.state} {result.problem or 'fine'}")
        return bool(result.problem)
    began, broken = time.perf_counter(), 0
    ends: Counter[str] = Counter()
    calls = ticks = events = 0
    for seed in range(asked.first, asked.first + asked.count):
        result = live(seed)
        ends[result.state] += 1
        calls, ticks, events = calls + result.calls, ticks + result.ticks, events + result.events
        if result.problem:
            broken += 1
            print(f"seed {seed}: {result.kind} {result.state}: {result.problem}")
            if broken >= asked.most:
                break
    seconds = time.perf_counter() - began
    print(f"{sum(ends.values())} histories in {seconds:.1f} s: {broken} broken; {dict(ends)}")
    print(f"{ticks} ticks, {calls} calls, {events} events")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
