"""`python -m headgate_worker`: settings from the environment, one worker, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Sequence

from pydantic import ValidationError
from redis.exceptions import RedisError

from headgate_ops.process_tuning import leave_no_core, tune_collector
from headgate_worker import app
from headgate_worker.process.log_format import configure
from headgate_worker.process.settings import Settings
from headgate_worker.store.clients import UnfitStore


def main(argv: Sequence[str] | None = None) -> int:
    """Run a worker; 0 after a drain, 1 when the store is unfit or away, 2 for a bad setting."""
    parser = argparse.ArgumentParser("headgate worker", description="Settings are HEADGATE_* variables.")
    parser.add_argument(
        "--test-notifications",
        metavar="FILE",
        help="send a sample of each rule of the file, and exit; 1 if one is not taken",
    )
    given = parser.parse_args(argv)
    try:
        settings = Settings()
        if given.test_notifications:
            return _test_notifications(settings.model_copy(update={"notifications": given.test_notifications}))
        tune_collector()
        leave_no_core()
        configure(settings.log_level, settings.log_format)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_signalled(settings))
    except ValidationError as error:
        return _fail("; ".join(_complaints(error)), 2)
    except UnfitStore as error:
        return _fail(str(error), 1)
    except RedisError as error:
        return _fail(f"Redis can't be reached ({type(error).__name__}); check HEADGATE_REDIS_URL", 1)
    except ValueError as error:
        return _fail(str(error), 2)
    return 0


async def _until_signalled(settings: Settings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await app.run(settings, stop=stop, ready=_announce)


def _test_notifications(settings: Settings) -> int:
    found = asyncio.run(app.send_samples(settings))
    for one in found:
        sys.stdout.write(f"rule {one.rule} to endpoint {one.endpoint}: {one.problem or 'delivered'}\n")
    return int(any(one.problem for one in found))


def _announce(ops_address: str) -> None:
    sys.stdout.write(f"headgate worker ready ops={ops_address}\n")
    sys.stdout.flush()


def _complaints(error: ValidationError) -> list[str]:
    """What is wrong with which variable; values are left out, since one of them holds a password."""
    return [f"HEADGATE_{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()]


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"headgate worker: {message}\n")
    return code


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # not on every platform; the standard loop does as well, only slower
        return asyncio.new_event_loop
    return uvloop.new_event_loop


if __name__ == "__main__":
    raise SystemExit(main())
