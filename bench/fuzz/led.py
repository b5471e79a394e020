"""Fuzz one target led by coverage: `python -m bench.fuzz.led TARGET FOLDER SECONDS`, where atheris is installed.

Inputs that reach new code of ours are kept in the folder, and are where the next run begins.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["headgate", "headgate_server", "headgate_worker"]):
    from bench.fuzz.__main__ import everything, made

SEEDS = 20
LONGEST_BYTES = 20_000


def main(name: str, folder: Path, seconds: int) -> None:
    """Search for some seconds; atheris ends the process, with 0 when nothing was found."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    for number in range(SEEDS):
        (folder / f"{number}.bin").write_bytes(made(name, rng))
    atheris.Setup(["fuzz", f"-max_total_time={seconds}", f"-max_len={LONGEST_BYTES}", str(folder)], everything()[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
