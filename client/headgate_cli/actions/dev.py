"""Run everything on this machine until Ctrl-C or SIGTERM, or until a part of it fails."""

import itertools

from rich.text import Text

from headgate.process import redis_url
from headgate_cli.dev.deployment import Deployment, DeploymentOptions, Endpoints
from headgate_cli.dev.inheritance import remarks
from headgate_cli.dev.redis_server import RedisServerError, RedisServerMissingError
from headgate_cli.dev.services import NamedLineSink, ServiceFailedError
from headgate_cli.process import signals
from headgate_cli.views.output import Printer, clean

FAILED = 1
START_ERRORS = (RedisServerError, RedisServerMissingError, ServiceFailedError)
"""What starting a deployment may raise."""

_COLOURS = ("cyan", "green", "magenta", "blue", "yellow")


def dev(options: DeploymentOptions) -> int:
    """Run the deployment; return the exit status, 130 for Ctrl-C."""
    printer = Printer()
    for remark in remarks(options.inherited):
        printer.note(remark)
    return signals.run(_dev(options, printer))


async def _dev(options: DeploymentOptions, printer: Printer) -> int:
    try:
        async with Deployment(options, prefixed(printer)) as deployment:
            show_endpoints(deployment.endpoints, printer)
            printer.complain(clean_story(await deployment.failed()))
    except START_ERRORS as error:
        printer.complain(clean_story(str(error)))
    return FAILED


def show_endpoints(endpoints: Endpoints, printer: Printer) -> None:
    """Write where everything listens, and a command to try."""
    for name, address in (
        ("gRPC", endpoints.target),
        ("ops", f"http://{endpoints.ops}"),
        ("emulator", endpoints.emulator),
        ("Redis", redis_url.mask(endpoints.redis)),
    ):
        printer.line(f"{name:<10}{address}")
    printer.line("Everything is ready; Ctrl-C stops it. Try:")
    printer.line(
        f"  HEADGATE_TARGET={endpoints.target} headgate backfill --project-id 257880 --name first "
        "--biz-dates 2025-02-05..2025-02-06 --root-task-ids 1023697426 --mode AllDownstream "
        "--parallelism 1 --env-type Prod --wait"
    )


def prefixed(printer: Printer) -> NamedLineSink:
    """Return a sink that writes lines after the name of their process, each name in its colour."""
    colours = itertools.cycle(_COLOURS)
    styles: dict[str, str] = {}

    def write(name: str, line: str) -> None:
        style = styles.setdefault(name, next(colours))
        printer.line(Text.assemble((f"{name:<9} ", style), clean(line)))

    return write


def clean_story(text: str) -> str:
    """Return several lines, each cleaned of control characters."""
    return "\n".join(clean(line) for line in text.splitlines())
