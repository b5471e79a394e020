"""Fuzz what reads foreign bytes, in this process, for some seconds; `make fuzz`.

Changes are by chance; `bench.fuzz.led` searches one target led by the code that it reaches. What is found is printed in
hex, with its target.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bench.fuzz import corpus, mutation, targets

Target = Callable[[bytes], object]


def everything() -> Mapping[str, Target]:
    """Every target by name: those of bytes, and each method's request by both of its ways."""
    found: dict[str, Target] = dict(targets.TARGETS)
    for method in corpus.methods():
        found[f"request:{method}"] = partial(targets.request, method)
        found[f"fast_rules:{method}"] = partial(targets.fast_rules, method)
    return found


def made(name: str, rng: random.Random) -> bytes:
    """Bytes for a target."""
    kind, _, method = name.partition(":")
    if method:
        return mutation.mutated(rng.choice(corpus.sound(method)), rng)
    return mutation.mangled(rng.choice(targets.SEEDS[kind]), rng)


def by_chance(names: list[str], rng: random.Random, until: float) -> Counter[str]:
    """Send bytes to each target in turn; how many each has read. What a target raises ends the run."""
    found, all_of_them = Counter[str](), everything()
    while time.monotonic() < until:
        for name in names:
            raw = made(name, rng)
            try:
                all_of_them[name](raw)
            except Exception:
                sys.stderr.write(f"{name} {raw.hex()}\n")
                raise
            found[name.partition(":")[0]] += 1
    return found


def main(arguments: Any = None) -> int:
    """Run; 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="bench.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--only", default="", help="targets whose names contain this")
    given = parser.parse_args(arguments)
    names = [name for name in everything() if given.only in name]
    print(f"seed {given.seed}, {len(names)} targets")
    counts = by_chance(names, random.Random(given.seed), time.monotonic() + given.seconds)
    for name, count in counts.most_common():
        print(f"{name:20} {count:8} inputs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
