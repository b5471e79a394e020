"""Flags that several commands share."""

import inspect

import typer
from typer.core import TyperCommand, TyperGroup

from headgate_cli.app import app
from headgate_cli.input.flag_groups import _names


def commands() -> list[tuple[str, TyperCommand]]:
    found: list[tuple[str, TyperCommand]] = []
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    groups = [("", root)]
    while groups:
        path, group = groups.pop()
        for name, command in group.commands.items():
            whole = f"{path} {name}".strip()
            if isinstance(command, TyperGroup):
                groups.append((whole, command))
            elif isinstance(command, TyperCommand):
                found.append((whole, command))
    return found


def test_the_flags_of_a_command_are_those_that_it_declares() -> None:
    run = dict(commands())["jobs retry"]
    wait = dict(commands())["backfill"]

    assert _told(run) >= {"--biz-dates", "--deadline", "--request-id", "--etag", "--target"}
    assert "--overlap" not in _told(run) and {"--wait", "--no-wait", "--overlap"} <= _told(wait)


def _told(command: TyperCommand) -> frozenset[str]:
    """What the running command would hold for its flags."""
    wanted = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    function = inspect.unwrap(command.callback or (lambda: None), stop=lambda one: hasattr(one, "__signature__"))
    flags = inspect.signature(function).parameters.values()
    found = frozenset(name for flag in flags for name in _names(flag))
    assert found <= wanted
    return found
