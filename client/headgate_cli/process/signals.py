"""Run a coroutine until it is done or a signal asks this process to stop; then let it clean up."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

_ASKED_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` and return its exit status; 128 + the signal's number if a signal ended it, so 130 for Ctrl-C.

    A signal cancels `main` once, so that it closes what it opened; more signals do not disturb that.
    """
    return asyncio.run(_run(main))


async def _run(main: Coroutine[Any, Any, int]) -> int:
    received: list[signal.Signals] = []
    task = asyncio.ensure_future(main)

    def stop(number: signal.Signals) -> None:
        if not received:
            task.cancel()
        received.append(number)

    loop = asyncio.get_running_loop()
    for number in _ASKED_TO_STOP:
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[0]
