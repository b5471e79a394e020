"""A coroutine that is run until a signal asks the process to stop."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from headgate_cli.process.signals import run

PROGRAM = """
import asyncio, sys
from headgate_cli.process.signals import run

async def main() -> int:
    print("up", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("cleaned up", flush=True)
    return 0

sys.exit(run(main()))
"""


async def done(status: int) -> int:
    return status


def test_the_status_is_the_coroutines_own() -> None:
    assert run(done(5)) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_it_clean_up_and_is_the_status(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        os.kill(process.pid, number)
        assert process.stdout.readline() == "cleaned up\n"
        assert process.wait(30) == 128 + number


def test_a_cancellation_without_a_signal_is_one() -> None:
    async def cancelled() -> int:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(cancelled())


def test_what_breaks_comes_through() -> None:
    async def broken() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(broken())
