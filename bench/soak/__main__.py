"""`python -m bench.soak [--minutes N] [--faults] [--json FILE]`: load a deployment for a while, say what grew."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from bench.chaos.machine import commit, machine
from bench.chaos.results import Report, ResultRow
from bench.chaos.stage import Trial
from bench.soak.haul import Haul, haul
from bench.soak.run import Soak, soak, table

SHORTEST_MINUTES = 3.0
"""Before that as many jobs come as end their time in the store, and everything only grows."""

COMPRESSED_MINUTES = 10.0
"""Below this faults follow each other faster, so that a short run has some of every kind."""


def main() -> int:
    """Soak; 0 when nothing grew and nothing failed, 1 otherwise."""
    parser = _parser()
    options = parser.parse_args()
    if options.faults and options.minutes < SHORTEST_MINUTES:
        parser.error(f"--minutes has to be {SHORTEST_MINUTES:g} or more with --faults: jobs are kept for a minute")
    logging.basicConfig(level=logging.ERROR)  # parts of ours that play along in this process are to be quiet
    began = time.monotonic()
    report = asyncio.run(_run(options))
    row = ResultRow(
        "soak", "many" if options.faults else "none", options.seed, round(time.monotonic() - began, 1), report
    )
    print(f"{machine()}; commit {commit()}\n{report.load}\n\n{table(report)}")
    print("\nnothing grew" if report.held else "\nNOT HELD: see the rows above")
    if options.json:
        found = {"machine": machine(), "commit": commit(), "rows": [row.plain()]}
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return 0 if report.held else 1


async def _run(options: argparse.Namespace) -> Report:
    trial, sample = Trial("soak", options.seed), max(0.5, options.minutes * 60 / 100)
    if not options.faults:
        return await soak(trial, Soak(minutes=options.minutes, per_second=options.rate, every=sample))
    every = 60.0 if options.minutes >= COMPRESSED_MINUTES else 20.0
    size = Haul(options.minutes, per_second=options.rate, standing=options.standing, every=every, sample=sample)
    return await haul(trial, size)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=_minutes, default=2.0, metavar="N", help="how long; default 2")
    parser.add_argument("--rate", type=float, default=4.0, metavar="R", help="jobs submitted a second; default 4")
    parser.add_argument(
        "--faults", action="store_true", help="break something every minute, or each 20 s below 10 minutes"
    )
    parser.add_argument(
        "--standing",
        type=_standing,
        default=20_000,
        metavar="N",
        help="instances that wait all the time, with --faults",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the row as JSON")
    parser.add_argument("--seed", type=int, default=1, help="seed of every random choice; default 1")
    return parser


def _standing(word: str) -> int:
    found = int(word)
    if not 500 <= found <= 50_000:
        raise argparse.ArgumentTypeError("500 to 50000 instances")
    return found


def _minutes(word: str) -> float:
    found = float(word)
    if not 0.2 <= found <= 24 * 60:
        raise argparse.ArgumentTypeError("0.2 to 1440 minutes")
    return found


if __name__ == "__main__":
    sys.exit(main())
