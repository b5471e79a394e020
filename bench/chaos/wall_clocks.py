"""Wall clocks that are wrong: a library preloaded into a process moves the one it sees, by as much as a file says."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

SOURCE = Path(__file__).with_name("shifted_clock.c")

COMPILERS = ("cc", "gcc", "clang")


class NoCompilerError(RuntimeError):
    """The machine has no C compiler, so that experiments with wrong clocks can't be tried on it."""

    def __init__(self) -> None:
        super().__init__(f"not tried: no C compiler ({', '.join(COMPILERS)}) to make the library that moves a clock")


class WallClocks:
    """Makes wall clocks by name, as an async context manager; its files go with it. Raises NoCompilerError at entry."""

    def __init__(self) -> None:
        self._folder = Path()

    async def __aenter__(self) -> Self:
        compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
        if compiler is None:
            raise NoCompilerError
        self._folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="headgate-clocks-"))
        argv = (compiler, "-O2", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE), "-ldl")
        making = await asyncio.create_subprocess_exec(*argv)
        if await making.wait():
            raise RuntimeError(f"{compiler} could not make {SOURCE.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(shutil.rmtree, self._folder)

    @property
    def _library(self) -> Path:
        return self._folder / "shifted_clock.so"

    def set(self, name: str, seconds: float) -> None:
        """Let the clock of a name be so much ahead of the machine's, or behind it; seen at once by who has it."""
        with open(self._folder / name, "r+b" if (self._folder / name).exists() else "wb") as file:
            file.write(struct.pack("=q", int(seconds * 1_000_000_000)))

    def environment(self, name: str) -> dict[str, str]:
        """Variables of a process that is to have the clock of a name, which was set before."""
        return {"LD_PRELOAD": str(self._library), "SHIFTED_CLOCK": str(self._folder / name)}

    def wrapped(self, name: str, program: Path) -> Path:
        """A program that becomes another one with the clock of a name."""
        variables = " ".join(f"{key}={value}" for key, value in self.environment(name).items())
        wrapper = self._folder / f"{program.name}-{name}"
        wrapper.write_text(f'#!/bin/sh\n{variables} exec {program} "$@"\n')
        os.chmod(wrapper, 0o700)
        return wrapper
