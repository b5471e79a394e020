"""Let several commands share flags: a parameter whose type is a dataclass of flags becomes those flags."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

Command = Callable[..., None]


def expanded(command: Command) -> Command:
    """Return the command with every parameter of a dataclass type replaced by that class's fields.

    The fields are annotated as Typer wants them. A call with flags becomes a call with the dataclasses made
    of them.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    flags = [flag for name in inspect.signature(command).parameters for flag in _flags(name, command, hints)]

    @functools.wraps(command)
    def run(**values: Any) -> None:
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


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def _made(kind: Any, values: dict[str, Any]) -> Any:
    return kind(**{field.name: values.pop(field.name) for field in dataclasses.fields(kind)})
