"""Builds the environment of a peer when it is first needed: a folder of its own, with the versions of its file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bench.figures import CannotMeasure

_ROOT = Path(__file__).resolve().parents[2]
_STAMP = ".installed"


def pins(name: str) -> Path:
    """The file with the versions of a peer; it is not there for what runs in our own environment."""
    return Path(__file__).with_name(f"{name}.txt")


async def python_of(name: str) -> Path:
    """The interpreter that a peer runs on.

    Raises:
        CannotMeasure: its environment can't be built here, for example without a network.
    """
    wanted = pins(name)
    if not wanted.exists():
        return Path(sys.executable)
    folder = _ROOT / ".venv-bench" / name
    program = folder / "bin" / "python"
    if not (folder / _STAMP).exists() or (folder / _STAMP).read_text() != wanted.read_text():
        await _run(sys.executable, "-m", "venv", str(folder))
        await _run(str(program), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(wanted))
        (folder / _STAMP).write_text(wanted.read_text())
    return program


async def _run(*command: str) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    said, _ = await process.communicate()
    if process.returncode:
        last = (said.decode(errors="replace").strip().splitlines() or ["no word"])[-1]
        raise CannotMeasure(f"its environment can't be built: {last[:120]}")
