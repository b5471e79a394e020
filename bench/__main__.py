"""`python -m bench [--quick] [--only P1,P2] [--list] [--json FILE] [--plot FILE]`: measure, and say what holds."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.chaos.machine import commit, machine
from bench.figures import CannotMeasure, Found, Result
from bench.plot import svg
from bench.registry import ROWS, BenchRow
from bench.report import document, summary, table
from bench.setting import FULL, QUICK, Size


def main() -> int:
    """Measure what was asked for; 0 when every goal is met, 1 when one is not, 2 for an unknown row."""
    options = _parser().parse_args()
    logging.basicConfig(level=logging.ERROR)
    if options.list:
        print("\n".join(f"{row.id:6} {row.what}" for row in ROWS.values()))
        return 0
    names = (
        options.only.split(",")
        if options.only
        else [row.id for row in ROWS.values() if row.in_quick or not options.quick]
    )
    if unknown := [name for name in names if name not in ROWS]:
        print(f"no such row: {', '.join(unknown)}; see --list", file=sys.stderr)
        return 2
    results: list[Result] = []
    for name in names:
        results.append(_run(ROWS[name], QUICK if options.quick else FULL))
        _write(options, results)  # after every row: a run that is cut short has not been for nothing
    print(f"\n{machine()}; commit {commit()}; {'quick' if options.quick else 'full'} run\n\n{table(results)}")
    return 1 if any(result.holds is False for result in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench", description=__doc__)
    parser.add_argument("--only", metavar="IDS", help="only these rows, separated by commas")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs: three minutes in all")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the goals as SVG")
    return parser


def _run(row: BenchRow, size: Size) -> Result:
    result = measured(row, size)
    print(summary(result), flush=True)
    return result


def measured(row: BenchRow, size: Size) -> Result:
    """One row, measured; a row that fails says so and stops no other."""
    began, load = time.monotonic(), os.getloadavg()[0]
    try:
        found = asyncio.run(_bounded(row, size))
    except CannotMeasure as error:
        return Result(row.id, row.what, unmeasured=str(error))
    except Exception as error:  # the owner of a row: what broke it is its result
        logging.getLogger("bench").exception("%s broke", row.id)
        return Result(row.id, row.what, unmeasured=f"it broke: {type(error).__name__}: {_last_line(error)}")
    seconds = round(time.monotonic() - began, 1)
    return Result(row.id, row.what, found.figures, notes=found.notes, seconds=seconds, load=round(load, 1))


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return lines[-1].strip()[:200].replace("|", "/")


async def _bounded(row: BenchRow, size: Size) -> Found:
    async with asyncio.timeout(row.longest):
        return await row.run(size)


def _write(options: argparse.Namespace, results: Sequence[Result]) -> None:
    where = {"machine": machine(), "commit": commit(), "command": " ".join(["python -m bench", *sys.argv[1:]])}
    if options.json:
        options.json.write_text(json.dumps(document(where, results), indent=1, ensure_ascii=False) + "\n")
    if options.plot:
        options.plot.write_text(svg(results))


if __name__ == "__main__":
    sys.exit(main())
