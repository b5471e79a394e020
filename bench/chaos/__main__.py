"""`python -m bench.chaos [--only NAME] [--list] [--json FILE]`: run fault experiments, say what held."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from bench.chaos.experiments import EXPERIMENTS, Experiment
from bench.chaos.machine import commit, machine
from bench.chaos.results import Check, Report, ResultRow, misses, summary, table
from bench.chaos.stage import Trial


def main() -> int:
    """Run what was asked for; 0 when every criterion held, 1 when one did not, 2 for an unknown name."""
    options = _parser().parse_args()
    logging.basicConfig(level=logging.ERROR)  # parts of ours that play along in this process are to be quiet
    if options.list:
        print("\n".join(f"{one.name:24} {one.fault}" for one in EXPERIMENTS.values()))
        return 0
    names = options.only or list(EXPERIMENTS)
    if unknown := [name for name in names if name not in EXPERIMENTS]:
        print(f"no such experiment: {', '.join(unknown)}; see --list", file=sys.stderr)
        return 2
    rows: list[ResultRow] = []
    for name in names:
        rows.append(run_one(EXPERIMENTS[name], options.seed))
        if options.json:
            _write(options.json, rows)  # after each, so that an interrupted run leaves what it has seen
    print(f"\n{machine()}; commit {commit()}\n\n{table(rows)}\n\n{misses(rows)}")
    return 0 if all(row.report.held for row in rows) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench.chaos", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="run only this one; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the experiments")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON")
    parser.add_argument("--seed", type=int, default=1, help="seed of every random choice; default 1")
    return parser


def run_one(experiment: Experiment, seed: int) -> ResultRow:
    """Run an experiment within its bound, say what came of it."""
    began = time.monotonic()
    try:
        report = asyncio.run(_bounded(experiment, seed))
    except Exception as error:
        # The owner of the run: an experiment that breaks has not held, and the others are still to come.
        logging.exception("%s broke", experiment.name)
        report = Report("", (Check("ran to its end", f"within {experiment.longest:g} s", repr(error)[:200], False),))
    row = ResultRow(experiment.name, experiment.fault, seed, round(time.monotonic() - began, 1), report)
    print(summary(row), flush=True)
    return row


async def _bounded(experiment: Experiment, seed: int) -> Report:
    async with asyncio.timeout(experiment.longest):
        return await experiment.run(Trial(experiment.name, seed))


def _write(path: Path, rows: list[ResultRow]) -> None:
    found = {"machine": machine(), "commit": commit(), "rows": [row.plain() for row in rows]}
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
