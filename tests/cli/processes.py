"""Look at processes through /proc, and run the command line as one."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.server.world import World

ESCAPE = "\x1b"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str


def environment(target: str = "") -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADGATE_", "FORCE_"))}
    return {**kept, "HEADGATE_TARGET": target, "COLUMNS": "100", "TZ": "Asia/Shanghai"}


async def start(*arguments: str, target: str = "") -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate_cli", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(target),
    )


async def headgate(*arguments: str, target: str = "", stdin: str = "") -> Done:
    process = await start(*arguments, target=target)
    out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


async def read_until(process: asyncio.subprocess.Process, what: str) -> str:
    assert process.stdout is not None
    text = ""
    async with asyncio.timeout(45):
        while what not in text:
            line = (await process.stdout.readline()).decode()
            assert line, f"it ended before it said {what!r}:\n{text}"
            text += line
    return text


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that have not ended."""
    everybody = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]
    return [other for other in everybody if is_alive(other) and parent(other) == pid]


def parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def is_alive(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


async def all_gone(pids: list[int]) -> None:
    async with asyncio.timeout(15):
        while any(is_alive(pid) for pid in pids):
            await asyncio.sleep(0.02)


async def end(process: asyncio.subprocess.Process, number: signal.Signals) -> int:
    """Send a signal, read what is left, and return the exit status."""
    process.send_signal(number)
    await process.communicate()
    assert process.returncode is not None
    return process.returncode


async def run(world: World, *words: str) -> Done:
    """Run a command against a server."""
    return await headgate(*words, target=world.address)


def is_plain(done: Done) -> bool:
    """Whether what a command wrote is fit for a pipe."""
    return ESCAPE not in done.out + done.err and "│" not in done.out
