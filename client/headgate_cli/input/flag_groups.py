"""Let several commands share flags: a parameter whose type is a dataclass of flags becomes those flags."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, get_type_hints

from typer.models import OptionInfo

Command = Callable[..., None]

typed_flags: ContextVar[frozenset[str] | None] = ContextVar("typed_flags", default=None)
"""The flags that the command which runs now has; None outside of one."""


def expanded(command: Command) -> Command:
    """Return the command with every parameter of a dataclass type replaced by that class's fields.

    The fields are annotated as Typer wants them. A call with flags becomes a call with the dataclasses made
    of them.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    flags = [flag for name in inspect.signature(command).parameters for flag in _flags(name, command, hints)]

    names = frozenset(name for flag in flags for name in _names(flag))

    @functools.wraps(command)
    def run(**values: Any) -> None:
        typed_flags.set(names)
        made = {name: _made(kind, values) for name, kind in groups.items()}
        command(**values, **made)

    run.__signature__ = inspect.Signature(flags)  # type: ignore[attr-defined]  # what Typer reads
    run.__annotations__ = {flag.name: flag.annotation for flag in flags}
    return run


def _flags(name: str, command: Command, hints: dict[str, Any]) -> list[inspect.Parameter]:
    kind = hints[name]
    if not dataclasses.is_dataclass(kind):
        parameter = inspect.signature(command).parameters[name]
        return [parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY)]
    types = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=_default(field), annotation=types[field.name]
        )
        for field in dataclasses.fields(kind)
    ]


def _names(flag: inspect.Parameter) -> list[str]:
    """How a parameter is typed: "--wait" and "--no-wait"; nothing for an argument."""
    options = [info for info in getattr(flag.annotation, "__metadata__", ()) if isinstance(info, OptionInfo)]
    # In an annotation there is no default, so that Typer keeps the first name in its place.
    declared = [name for info in options for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
    named = [name for names in declared for name in names.split("/") if name.startswith("-")]
    return named or [f"--{flag.name.replace('_', '-')}" for _ in options]


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def _made(kind: Any, values: dict[str, Any]) -> Any:
    return kind(**{field.name: values.pop(field.name) for field in dataclasses.fields(kind)})
