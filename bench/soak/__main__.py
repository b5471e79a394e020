"""`python -m bench.soak [--minutes N] [--json FILE]`: load a deployment for a while, say what grew."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from bench.chaos.machine import commit, machine
from bench.chaos.results import Row
from bench.chaos.stage import Trial
from bench.soak.run import Soak, soak, table


def main() -> int:
    """Soak; 0 when nothing grew and nothing failed, 1 otherwise."""
    options = _parser().parse_args()
    logging.basicConfig(level=logging.ERROR)  # parts of ours that play along in this process are to be quiet
    size = Soak(minutes=options.minutes, per_second=options.rate, every=max(0.5, options.minutes * 60 / 100))
    began = time.monotonic()
    report = asyncio.run(soak(Trial("soak", options.seed), size))
    row = Row("soak", "none", options.seed, round(time.monotonic() - began, 1), report)
    print(f"{machine()}; commit {commit()}\n{report.load}\n\n{table(report)}")
    print("\nnothing grew" if report.held else "\nNOT HELD: see the rows above")
    if options.json:
        found = {"machine": machine(), "commit": commit(), "rows": [row.plain()]}
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return 0 if report.held else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=_minutes, default=2.0, metavar="N", help="how long; default 2")
    parser.add_argument("--rate", type=float, default=4.0, metavar="R", help="jobs submitted a second; default 4")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the row as JSON")
    parser.add_argument("--seed", type=int, default=1, help="seed of every random choice; default 1")
    return parser


def _minutes(word: str) -> float:
    found = float(word)
    if not 0.2 <= found <= 24 * 60:
        raise argparse.ArgumentTypeError("0.2 to 1440 minutes")
    return found


if __name__ == "__main__":
    sys.exit(main())
