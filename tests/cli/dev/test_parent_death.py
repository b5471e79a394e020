"""A command that does not outlive the process that started it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headgate_cli.dev import parent_death
from tests.cli.processes import is_alive

SCRIPT = str(Path(parent_death.__file__))
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-I", "-S", sys.argv[1], str(os.getpid()), "sleep", "60"])
print(child.pid, flush=True)
time.sleep(60)
"""


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_it_becomes_the_command_with_its_arguments_and_status() -> None:
    done = start(str(os.getpid()), "sh", "-c", "echo $0 $1; exit 7", "a", "b")

    assert (done.returncode, done.stdout, done.stderr) == (7, "a b\n", "")


def test_a_command_that_does_not_exist_is_told() -> None:
    done = start(str(os.getpid()), "/no/such/command")

    assert (done.returncode, done.stderr) == (1, "/no/such/command: No such file or directory\n")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux' kernel ends a process with its parent")
def test_a_parent_that_has_gone_already_ends_it() -> None:
    done = start("1" if os.getpid() != 1 else "2", "echo", "here")

    assert (done.returncode, done.stdout) == (1, "") and "has gone" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux' kernel ends a process with its parent")
async def test_it_is_killed_when_its_parent_is() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, SCRIPT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()

    async with asyncio.timeout(20):
        while is_alive(child):
            await asyncio.sleep(0.02)
