"""`headgate server`: read the settings, serve until SIGTERM or SIGINT, drain, end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence

from headgate_server import app
from headgate_server.errors.exceptions import ServerError
from headgate_server.process import log_format, settings, supervisor
from headgate_server.process.runtime_tuning import settle, tune

_log = logging.getLogger(__name__)

OK, FAILED, MISUSED = 0, 1, 2
"""Exit statuses: all well; could not serve; a setting is wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a server until SIGTERM or SIGINT; the exit status."""
    parser = argparse.ArgumentParser(prog="headgate server", description=__doc__, epilog="Settings: HEADGATE_*.")
    parser.parse_args(argv)
    try:
        found = settings.load()
    except settings.BadSettings as error:
        print(f"headgate server: {error}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
        return MISUSED
    log_format.set_up(found.log_format, found.log_level)
    tune()
    _log.info("settings: %s", found.masked())
    return _run(found)


def _run(found: settings.Settings) -> int:
    status = OK
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(found))
    except* (ServerError, OSError) as group:
        _log.error("the server can't run: %s", "; ".join(_tell(group)))
        status = FAILED
    return status


async def _serve(found: settings.Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if found.processes > 1 and not supervisor.is_one_of_several():
        return await supervisor.run(found, stop)
    if supervisor.is_one_of_several():
        loop.add_reader(sys.stdin.fileno(), stop.set)  # readable at its end only: the parent has ended
    async with app.running(found) as serving:
        settle()
        line = f"headgate server ready grpc=127.0.0.1:{serving.grpc_port} ops=127.0.0.1:{serving.ops_port}"
        print(line, flush=True)  # noqa: T201 - the parent waits for this line
        await stop.wait()
        _log.info("draining")
    return None


def _tell(group: BaseExceptionGroup[BaseException]) -> list[str]:
    lines: list[str] = []
    for error in group.exceptions:
        lines += _tell(error) if isinstance(error, BaseExceptionGroup) else [f"{type(error).__name__}: {error}"]
    return lines


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main())
