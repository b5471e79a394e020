"""Compose and run the emulator: in a process of its own, or inside a test."""

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from pydantic import ValidationError

from headgate_emulator.admin import Admin
from headgate_emulator.clock import Clock, WallClock, system_wall_ms
from headgate_emulator.dataworks.gateway import Gateway
from headgate_emulator.dataworks.world import World
from headgate_emulator.enos.gateway import PREFIXES, EnosGateway
from headgate_emulator.enos.world import FlowWorld
from headgate_emulator.fault_book import FaultBook
from headgate_emulator.ledger import Ledger
from headgate_emulator.scenario import BadScenario, Scenario, complaints, load
from headgate_emulator.settings import Settings
from headgate_emulator.state import EmulatorState

MAX_BODY = 8 << 20
SHUTDOWN_SECONDS = 0.5


class RunningEmulator:
    """A listening emulator. Its parts are looked up anew each time, because a reset replaces them."""

    def __init__(self, state: EmulatorState, host: str, port: int) -> None:
        self._state = state
        self._host = f"[{host}]" if ":" in host else host
        self.port = port

    @property
    def endpoint(self) -> str:
        """`host:port`, the form that the SDK and the CLI take."""
        return f"{self._host}:{self.port}"

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return f"http://{self.endpoint}"

    @property
    def state(self) -> EmulatorState:
        """Everything that the emulator owns."""
        return self._state

    @property
    def world(self) -> World:
        """The emulated account."""
        return self._state.world

    @property
    def flows(self) -> FlowWorld:
        """The emulated EnOS organisation."""
        return self._state.flows

    @property
    def ledger(self) -> Ledger:
        """What was called."""
        return self._state.ledger

    @property
    def faults(self) -> FaultBook:
        """What is switched on."""
        return self._state.faults

    @property
    def clock(self) -> Clock:
        """Virtual time."""
        return self._state.clock

    def advance(self, seconds: float) -> None:
        """Jump forward by `seconds` of virtual time."""
        self._state.advance(seconds)


def application(state: EmulatorState) -> web.Application:
    """The web application: admin calls under `/_admin/`, `/healthz`, EnOS by its paths, DataWorks everywhere else."""
    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes(Admin(state).routes())
    for prefix in PREFIXES:
        app.router.add_route("*", f"{prefix}{{path:.*}}", EnosGateway(state).handle)
    app.router.add_route("*", "/{path:.*}", Gateway(state).handle)
    return app


@asynccontextmanager
async def serve(
    settings: Settings | None = None,
    *,
    scenario: Scenario | None = None,
    wall: WallClock = system_wall_ms,
) -> AsyncIterator[RunningEmulator]:
    """Run an emulator inside this event loop until the block ends.

    Without settings: the environment's, but on a free port of 127.0.0.1. `scenario` wins over the one that
    the settings name. Raises BadScenario, and OSError if the address is taken.
    """
    chosen = settings or Settings(listen="127.0.0.1:0")
    begin = scenario if scenario is not None else await asyncio.to_thread(_scenario, chosen)
    state = EmulatorState(chosen, begin, wall)
    runner = web.AppRunner(application(state), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, chosen.host, chosen.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield RunningEmulator(state, host, port)
    finally:
        await runner.cleanup()


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Returns 0, or 2 with one line on stderr if it cannot start."""
    arguments = _parser().parse_args(argv)
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    try:
        settings = Settings(**given)
        asyncio.run(_run(settings))
    except ValidationError as error:
        return _complain(complaints(error))
    except (BadScenario, OSError) as error:
        return _complain(str(error))
    return 0


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serve(settings) as emulator:
        sys.stdout.write(f"emulator listening on {emulator.url}\n")
        sys.stdout.flush()
        await stop.wait()


def _scenario(settings: Settings) -> Scenario:
    return Scenario() if settings.scenario is None else load(settings.scenario)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headgate emulator", description="A DataWorks and an EnOS that run here.")
    parser.add_argument("--listen", metavar="HOST:PORT", help="default 127.0.0.1:18080; port 0 takes a free one")
    parser.add_argument("--scenario", metavar="FILE", help="a TOML file, or the name of a shipped scenario")
    return parser


def _complain(message: str) -> int:
    sys.stderr.write(f"headgate emulator: {message}\n")
    return 2
